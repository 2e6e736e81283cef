using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Shad.Onnx.Kernels;

/// <summary>
/// The operators of Shad.Onnx's own, computed by this process's managed code inside ONNX Runtime. A graph that has one loads
/// only in a session whose options were given them.
/// </summary>
/// <remarks>
/// No exception passes into native code: it becomes a status with its message, and the run fails with an
/// <see cref="OnnxRuntimeException"/>. ONNX Runtime keeps pointers into the domain for as long as any session lives; so there
/// is one, made when it is first asked for, that lives as long as the process.
/// </remarks>
internal static unsafe class CustomOperators
{
    /// <summary>The operators' domain in a graph.</summary>
    public const string Domain = "shad";

    private static readonly OwnOperator[] Operators = [PackedAttention.Operator, TokenLoss.Operator];

    private static readonly Lazy<nint> NativeDomain = new(Create);

    /// <summary>Lets the sessions of these options compute the operators.</summary>
    public static void AddTo(SessionOptions options) => OrtApi.AddDomain(options, NativeDomain.Value);

    /// <summary>What ONNX Runtime passes back to each function, and behind it what is ours.</summary>
    private struct Entry
    {
        public OrtCustomOp Operation;
        public int Number;
        public nint Name;
    }

    private static nint Create()
    {
        nint domain = OrtApi.CreateDomain((byte*)Marshal.StringToCoTaskMemUTF8(Domain));
        for (int number = 0; number < Operators.Length; number++)
        {
            var entry = (Entry*)NativeMemory.AllocZeroed((nuint)sizeof(Entry));
            entry->Number = number;
            entry->Name = Marshal.StringToCoTaskMemUTF8(Operators[number].Name);
            Fill(&entry->Operation);
            OrtApi.AddToDomain(domain, &entry->Operation);
        }

        return domain;
    }

    private static void Fill(OrtCustomOp* operation)
    {
        operation->Version = OrtApi.Version;
        operation->GetName = &GetName;
        operation->GetExecutionProviderType = &GetExecutionProviderType;
        operation->GetInputType = &GetInputType;
        operation->GetInputTypeCount = &GetInputTypeCount;
        operation->GetOutputType = &GetOutputType;
        operation->GetOutputTypeCount = &GetOutputTypeCount;
        operation->GetInputCharacteristic = &Zero;
        operation->GetOutputCharacteristic = &Zero;
        operation->GetInputMemoryType = &Zero;
        operation->GetVariadicInputMinArity = &One;
        operation->GetVariadicInputHomogeneity = &One;
        operation->GetVariadicOutputMinArity = &One;
        operation->GetVariadicOutputHomogeneity = &One;
        operation->CreateKernelV2 = &CreateKernel;
        operation->KernelComputeV2 = &Compute;
        operation->KernelDestroy = &Destroy;
        operation->GetStartVersion = &One;
        operation->GetEndVersion = &LastVersion;
    }

    // Literals of UTF-8 lie in the assembly's image, where they end with a zero and never move.
    private static byte* Text(ReadOnlySpan<byte> literal) =>
        (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(literal));

    private static OwnOperator Of(OrtCustomOp* operation) => Operators[((Entry*)operation)->Number];

    [UnmanagedCallersOnly]
    private static byte* GetName(OrtCustomOp* operation) => (byte*)((Entry*)operation)->Name;

    [UnmanagedCallersOnly]
    private static byte* GetExecutionProviderType(OrtCustomOp* operation) => Text("CPUExecutionProvider"u8);

    [UnmanagedCallersOnly]
    private static int GetInputType(OrtCustomOp* operation, nuint index) => Of(operation).InputTypes[(int)index];

    [UnmanagedCallersOnly]
    private static nuint GetInputTypeCount(OrtCustomOp* operation) => (nuint)Of(operation).InputTypes.Length;

    [UnmanagedCallersOnly]
    private static int GetOutputType(OrtCustomOp* operation, nuint index) => OrtApi.Float32;

    [UnmanagedCallersOnly]
    private static nuint GetOutputTypeCount(OrtCustomOp* operation) => 1;

    // Inputs and outputs are required (INPUT_OUTPUT_REQUIRED) and lie where the provider computes (OrtMemTypeDefault).
    [UnmanagedCallersOnly]
    private static int Zero(OrtCustomOp* operation, nuint index) => 0;

    [UnmanagedCallersOnly]
    private static int One(OrtCustomOp* operation) => 1;

    [UnmanagedCallersOnly]
    private static int LastVersion(OrtCustomOp* operation) => int.MaxValue;

    [UnmanagedCallersOnly]
    private static nint CreateKernel(OrtCustomOp* operation, nint api, nint info, nint* kernel)
    {
        try
        {
            *kernel = GCHandle.ToIntPtr(GCHandle.Alloc(Of(operation).Create(info)));
            return 0;
        }
        catch (Exception error)
        {
            return OrtApi.StatusOf(error);
        }
    }

    [UnmanagedCallersOnly]
    private static nint Compute(nint kernel, nint context)
    {
        try
        {
            ((IKernel)GCHandle.FromIntPtr(kernel).Target!).Compute(context);
            return 0;
        }
        catch (Exception error)
        {
            return OrtApi.StatusOf(error);
        }
    }

    [UnmanagedCallersOnly]
    private static void Destroy(nint kernel)
    {
        // Null where the kernel could not be created.
        if (kernel == 0) return;
        var handle = GCHandle.FromIntPtr(kernel);
        ((IKernel)handle.Target!).Dispose();
        handle.Free();
    }
}
