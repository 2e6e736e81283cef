using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.OnnxRuntime;

namespace Shad.Onnx.Kernels;

/// <summary>
/// The functions of ONNX Runtime's C API that custom operators need, and that the managed binding does not pass on. They are
/// found by their place in the table <c>OrtApi</c> of <c>onnxruntime_c_api.h</c>, which never changes: functions are only
/// added behind the last.
/// </summary>
internal static unsafe class OrtApi
{
    /// <summary>The version of the API that is asked for: that of ONNX Runtime 1.17, the first with all functions below.</summary>
    public const uint Version = 17;

    /// <summary><c>ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT</c>.</summary>
    public const int Float32 = 1;

    /// <summary><c>ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64</c>.</summary>
    public const int Int64 = 7;

    private const int Fail = 1;
    private const int InvalidArgument = 2;

    private static readonly void** Functions = Load();

    private enum Function
    {
        CreateStatus = 0,
        GetErrorMessage = 2,
        CreateCustomOpDomain = 26,
        CustomOpDomainAdd = 27,
        AddCustomOpDomain = 28,
        GetTensorMutableData = 51,
        GetDimensionsCount = 61,
        GetDimensions = 62,
        GetTensorTypeAndShape = 65,
        KernelInfoGetAttributeFloat = 85,
        KernelInfoGetAttributeInt64 = 86,
        KernelContextGetInput = 90,
        KernelContextGetOutput = 91,
        ReleaseStatus = 93,
        ReleaseTensorTypeAndShapeInfo = 99,
        KernelContextParallelFor = 274,
    }

    /// <summary>A tensor that ONNX Runtime owns.</summary>
    /// <param name="Data">Its first number.</param>
    /// <param name="Shape">Its dimensions.</param>
    public readonly record struct Tensor(nint Data, long[] Shape);

    /// <summary>A status that carries an exception's message to whom runs the session; 0 stands for success.</summary>
    public static nint StatusOf(Exception error)
    {
        byte[] message = Encoding.UTF8.GetBytes(error.Message + "\0");
        fixed (byte* text = message)
        {
            return ((delegate* unmanaged<int, byte*, nint>)Get(Function.CreateStatus))(
                error is ArgumentException ? InvalidArgument : Fail, text);
        }
    }

    /// <summary>Makes a domain of operators. The name must live as long as the domain.</summary>
    public static nint CreateDomain(byte* name)
    {
        nint domain;
        Check(((delegate* unmanaged<byte*, nint*, nint>)Get(Function.CreateCustomOpDomain))(name, &domain));
        return domain;
    }

    /// <summary>Adds an operator to a domain. It must live as long as the domain.</summary>
    public static void AddToDomain(nint domain, OrtCustomOp* operation) =>
        Check(((delegate* unmanaged<nint, OrtCustomOp*, nint>)Get(Function.CustomOpDomainAdd))(domain, operation));

    /// <summary>Gives the sessions of these options a domain, which must live as long as they.</summary>
    public static void AddDomain(SessionOptions options, nint domain)
    {
        bool held = false;
        try
        {
            options.DangerousAddRef(ref held);
            Check(((delegate* unmanaged<nint, nint, nint>)Get(Function.AddCustomOpDomain))(options.DangerousGetHandle(), domain));
        }
        finally
        {
            if (held) options.DangerousRelease();
        }
    }

    /// <summary>An attribute of a node.</summary>
    /// <exception cref="ArgumentException">The node has none of this name and type.</exception>
    public static long Int64Attribute(nint info, string name) => Attribute<long>(Function.KernelInfoGetAttributeInt64, info, name);

    /// <inheritdoc cref="Int64Attribute"/>
    public static float FloatAttribute(nint info, string name) => Attribute<float>(Function.KernelInfoGetAttributeFloat, info, name);

    /// <summary>An attribute of a node; null where it has none of this name.</summary>
    public static long? FindInt64Attribute(nint info, string name) => FindAttribute<long>(Function.KernelInfoGetAttributeInt64, info, name);

    /// <inheritdoc cref="FindInt64Attribute"/>
    public static float? FindFloatAttribute(nint info, string name) => FindAttribute<float>(Function.KernelInfoGetAttributeFloat, info, name);

    /// <summary>An input of the node that is computed.</summary>
    public static Tensor Input(nint context, int index)
    {
        nint value, info;
        Check(((delegate* unmanaged<nint, nuint, nint*, nint>)Get(Function.KernelContextGetInput))(context, (nuint)index, &value));
        Check(((delegate* unmanaged<nint, nint*, nint>)Get(Function.GetTensorTypeAndShape))(value, &info));
        try
        {
            nuint count;
            Check(((delegate* unmanaged<nint, nuint*, nint>)Get(Function.GetDimensionsCount))(info, &count));
            long[] shape = new long[count];
            fixed (long* dimensions = shape)
                Check(((delegate* unmanaged<nint, long*, nuint, nint>)Get(Function.GetDimensions))(info, dimensions, count));
            return new Tensor(DataOf(value), shape);
        }
        finally
        {
            ((delegate* unmanaged<nint, void>)Get(Function.ReleaseTensorTypeAndShapeInfo))(info);
        }
    }

    /// <summary>Allocates an output of the node that is computed.</summary>
    public static nint Output(nint context, int index, ReadOnlySpan<long> shape)
    {
        nint value;
        fixed (long* dimensions = shape)
        {
            Check(((delegate* unmanaged<nint, nuint, long*, nuint, nint*, nint>)Get(Function.KernelContextGetOutput))(
                context, (nuint)index, dimensions, (nuint)shape.Length, &value));
        }

        return DataOf(value);
    }

    /// <summary>Calls a function for 0 … count − 1 on the threads of the session. Nothing may be thrown out of it.</summary>
    public static void ParallelFor(nint context, delegate* unmanaged<nint, nuint, void> body, int count, nint argument) =>
        Check(((delegate* unmanaged<nint, delegate* unmanaged<nint, nuint, void>, nuint, nuint, nint, nint>)
            Get(Function.KernelContextParallelFor))(context, body, (nuint)count, 0, argument));

    private static nint DataOf(nint value)
    {
        nint data;
        Check(((delegate* unmanaged<nint, nint*, nint>)Get(Function.GetTensorMutableData))(value, &data));
        return data;
    }

    private static T Attribute<T>(Function getter, nint info, string name)
        where T : unmanaged
    {
        Check(GetAttribute(getter, info, name, out T value));
        return value;
    }

    private static T? FindAttribute<T>(Function getter, nint info, string name)
        where T : unmanaged
    {
        nint status = GetAttribute(getter, info, name, out T value);
        if (status == 0) return value;
        Release(status);
        return null;
    }

    private static nint GetAttribute<T>(Function getter, nint info, string name, out T value)
        where T : unmanaged
    {
        fixed (byte* text = Encoding.UTF8.GetBytes(name + "\0"))
        fixed (T* place = &value)
            return ((delegate* unmanaged<nint, byte*, T*, nint>)Get(getter))(info, text, place);
    }

    private static void Check(nint status)
    {
        if (status == 0) return;
        string message = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint, nint>)Get(Function.GetErrorMessage))(status)) ?? "";
        Release(status);
        throw new ArgumentException(message);
    }

    private static void Release(nint status) => ((delegate* unmanaged<nint, void>)Get(Function.ReleaseStatus))(status);

    private static void* Get(Function function) => Functions[(int)function];

    private static void** Load()
    {
        // The library that the managed binding has loaded, found as it finds it.
        nint library = NativeLibrary.Load("onnxruntime", typeof(SessionOptions).Assembly, null);
        var apiBase = ((delegate* unmanaged<delegate* unmanaged<uint, void**>*>)NativeLibrary.GetExport(library, "OrtGetApiBase"))();
        void** functions = (*apiBase)(Version);
        return functions is not null
            ? functions
            : throw new NotSupportedException($"The loaded library of ONNX Runtime does not offer version {Version} of its C API.");
    }
}
