using System.Globalization;
using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

/// <summary>
/// Measures from inside a program, without a change to it, how much of its processor time ONNX Runtime takes. Loaded by
/// <c>DOTNET_STARTUP_HOOKS</c>; the result goes to the file that <c>RUN_CLOCK_FILE</c> names, when the program ends.
/// </summary>
/// <remarks>
/// ONNX Runtime computes in two places: on the thread that calls <c>Run</c>, and on the threads of its own pool. The C# binding calls the
/// native functions through static delegates. Those of <c>Run</c> and of the making of a session are replaced by ones that read the calling
/// thread's processor clock before and after; the making of a session also gives the calling thread a name meanwhile, which the pool's
/// threads inherit, so that the kernel's account of them can be read.
/// </remarks>
internal static class StartupHook
{
    private const string PoolName = "onnxruntime";
    private const int SetName = 15, GetName = 16, ProcessClock = 2, ThreadClock = 3;

    private static readonly Lock PoolLock = new();
    private static readonly Dictionary<string, long> PoolNanoseconds = [];
    private static long s_runNanoseconds, s_loadNanoseconds, s_runs, s_replaced;

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable("RUN_CLOCK_FILE") is not { Length: > 0 } file) return;
        AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) =>
        {
            // Not here: the event may come from within a static initializer.
            if (loaded.LoadedAssembly.GetName().Name == "Microsoft.ML.OnnxRuntime") Task.Run(() => Replace(loaded.LoadedAssembly));
        };
        var sampling = new Thread(Sample) { IsBackground = true, Name = "run-clock" };
        sampling.Start();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Write(file);
    }

    private static void Replace(Assembly assembly)
    {
        var native = assembly.GetType("Microsoft.ML.OnnxRuntime.NativeMethods", throwOnError: true)!;
        RuntimeHelpers.RunClassConstructor(native.TypeHandle);
        foreach (var field in native.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
        {
            if (field.GetValue(null) is not Delegate original) continue;
            bool run = field.Name is "OrtRun" or "OrtRunWithBinding", load = field.Name.StartsWith("OrtCreateSession", StringComparison.Ordinal)
                && !field.Name.Contains("Options", StringComparison.Ordinal);
            if (!run && !load) continue;
            field.SetValue(null, Timed(original, run ? nameof(BeforeRun) : nameof(BeforeLoad), run ? nameof(AfterRun) : nameof(AfterLoad)));
            Interlocked.Increment(ref s_replaced);
        }
    }

    // (a, b, …) => { var start = before(); var result = original(a, b, …); after(start); return result; }
    private static Delegate Timed(Delegate original, string before, string after)
    {
        var invoke = original.GetType().GetMethod("Invoke")!;
        ParameterExpression[] parameters = [.. invoke.GetParameters().Select(static parameter => Expression.Parameter(parameter.ParameterType))];
        var start = Expression.Variable(typeof(long));
        var result = Expression.Variable(invoke.ReturnType);
        var body = Expression.Block(
            [start, result],
            Expression.Assign(start, Expression.Call(Method(before))),
            Expression.Assign(result, Expression.Invoke(Expression.Constant(original), parameters)),
            Expression.Call(Method(after), start),
            result);
        return Expression.Lambda(original.GetType(), body, parameters).Compile();

        static MethodInfo Method(string name) => typeof(StartupHook).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;
    }

    private static long BeforeRun() => Clock(ThreadClock);

    private static void AfterRun(long start)
    {
        Interlocked.Add(ref s_runNanoseconds, Clock(ThreadClock) - start);
        Interlocked.Increment(ref s_runs);
    }

    [ThreadStatic]
    private static byte[]? t_name;

    private static long BeforeLoad()
    {
        t_name = new byte[16];
        _ = prctl(GetName, t_name, 0, 0, 0);
        _ = prctl(SetName, [.. System.Text.Encoding.ASCII.GetBytes(PoolName), 0], 0, 0, 0);
        return Clock(ThreadClock);
    }

    private static void AfterLoad(long start)
    {
        Interlocked.Add(ref s_loadNanoseconds, Clock(ThreadClock) - start);
        _ = prctl(SetName, t_name!, 0, 0, 0);
    }

    // The pool ends with its session: what was read last counts, half a second at most too little.
    private static void Sample()
    {
        while (true)
        {
            ReadPool();
            Thread.Sleep(500);
        }
    }

    private static void ReadPool()
    {
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(task, "comm")).Trim() != PoolName) continue;
                string[] times = File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ');
                lock (PoolLock) PoolNanoseconds[task] = long.Parse(times[0], CultureInfo.InvariantCulture);
            }
            catch (Exception ended) when (ended is IOException or UnauthorizedAccessException)
            {
                // The thread ended between the listing and the reading.
            }
        }
    }

    private static void Write(string file)
    {
        ReadPool();
        double process = Clock(ProcessClock) / 1e9, run = s_runNanoseconds / 1e9, load = s_loadNanoseconds / 1e9;
        double pool;
        int threads;
        lock (PoolLock) (pool, threads) = (PoolNanoseconds.Values.Sum() / 1e9, PoolNanoseconds.Count);
        File.WriteAllText(file, string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"replaced":{{s_replaced}},"runs":{{s_runs}},"process_seconds":{{process:0.000}},"run_seconds":{{run:0.000}},"pool_seconds":{{pool:0.000}},"pool_threads":{{threads}},"load_seconds":{{load:0.000}}}"""));
    }

    private static long Clock(int clock)
    {
        _ = clock_gettime(clock, out var time);
        return time.Seconds * 1_000_000_000 + time.Nanoseconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

#pragma warning disable SYSLIB1054, CA5392, IDE1006 // two functions of the C library, by their own names
    [DllImport("libc")]
    private static extern int clock_gettime(int clock, out TimeSpec time);

    [DllImport("libc")]
    private static extern int prctl(int option, byte[] name, nint a, nint b, nint c);
#pragma warning restore
}
