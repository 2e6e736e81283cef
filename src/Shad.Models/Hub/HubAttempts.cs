using Shad.Core.Errors;

namespace Shad.Models.Hub;

/// <summary>Something failed that may well work when tried again.</summary>
/// <param name="final">The error where it never works.</param>
/// <param name="retryAfter">How long the hub asks us to wait; null where it does not.</param>
internal sealed class PassingHubFailure(ShadException final, TimeSpan? retryAfter = null) : Exception(final.Message, final)
{
    public ShadException Final { get; } = final;

    public TimeSpan? RetryAfter { get; } = retryAfter;
}

/// <summary>Tries again with growing waits: so many times in a row without anything gained.</summary>
internal sealed class HubAttempts(HubOptions options, Action? failed = null)
{
    private int _inVain;

    /// <summary>Does work until it succeeds or has failed too often.</summary>
    /// <param name="work">One attempt. Throws <see cref="PassingHubFailure"/> where another may succeed.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ShadException">The last failure's error.</exception>
    public async Task<T> RunAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await work().ConfigureAwait(false);
            }
            catch (PassingHubFailure failure)
            {
                if (++_inVain > options.Retries) throw failure.Final;
                failed?.Invoke();
                await Task.Delay(Wait(failure.RetryAfter), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Says that an attempt has gained something, though it may fail yet.</summary>
    public void Gained() => _inVain = 0;

    // Doubled each time, and somewhere between half of that and all, so that connections lost together do not come back together.
    private TimeSpan Wait(TimeSpan? asked)
    {
        double growing = options.FirstDelay.TotalSeconds * Math.Pow(2, _inVain - 1) * (0.5 + 0.5 * Random.Shared.NextDouble());
        double seconds = Math.Max(growing, asked?.TotalSeconds ?? 0);
        return TimeSpan.FromSeconds(Math.Clamp(seconds, 0, options.LongestDelay.TotalSeconds));
    }
}
