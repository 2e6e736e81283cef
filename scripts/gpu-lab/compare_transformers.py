"""Per-token losses of a model folder by Hugging Face transformers: the same sequences as `gpu-lab throughput`, and how fast.

    python3 compare_transformers.py --model DIR --device cuda --sequences 64 --length 2048 --mode full|chunked [--losses FILE.jsonl]

bfloat16 on a GPU (float32 on the CPU), SDPA attention. full: logits of the whole batch at once, as trainers and evaluation
harnesses do; chunked: the head on 1,024 rows at a time. The batch is the largest power of two up to 32 that memory holds.
Prints one JSON object."""
import argparse
import json
import sys
import time


def sequence(number, length, vocabulary):
    state = (number * 2654435761 + 1) & 0xFFFFFFFF
    ids = []
    for _ in range(length):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        ids.append(state * vocabulary >> 32)
    return ids


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sequences", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--mode", choices=["full", "chunked"], required=True)
    parser.add_argument("--losses")
    options = parser.parse_args()

    import torch
    import torch.nn.functional as F
    import transformers

    cuda = options.device.startswith("cuda")
    dtype = torch.bfloat16 if cuda else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(
        options.model, dtype=dtype, attn_implementation="sdpa").to(options.device).eval()
    ids = torch.tensor(
        [sequence(i, options.length, model.config.vocab_size) for i in range(options.sequences)], device=options.device)

    @torch.inference_mode()
    def losses(batch):
        targets = batch[:, 1:]
        if options.mode == "full":
            logits = model(batch, use_cache=False).logits[:, :-1]
            return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
        hidden = model.model(batch, use_cache=False).last_hidden_state[:, :-1].flatten(0, 1)
        flat = targets.flatten()
        parts = [
            F.cross_entropy(model.lm_head(hidden[i:i + 1024]).float(), flat[i:i + 1024], reduction="none")
            for i in range(0, len(flat), 1024)]
        return torch.cat(parts).view(targets.shape)

    def score(size):
        out = [losses(ids[i:i + size]).cpu() for i in range(0, len(ids), size)]
        if cuda:
            torch.cuda.synchronize()
        return torch.cat(out)

    size = 32 if cuda else 4
    while size > len(ids):
        size //= 2
    while True:
        try:
            losses(ids[:size]).sum().item()
            break
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            torch.cuda.empty_cache()
            size //= 2
    best = None
    # A smaller batch can be faster: the largest three are tried.
    for candidate in [s for s in (size, size // 2, size // 4) if s > 0]:
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        score(candidate) if candidate != size else None
        start = time.perf_counter()
        result = score(candidate)
        seconds = time.perf_counter() - start
        if best is None or seconds < best["seconds"]:
            best = {
                "mode": options.mode, "batch": candidate, "seconds": round(seconds, 3),
                "tokens_per_second": round(result.numel() / seconds, 1), "mean_loss": result.double().mean().item(),
                "peak_memory_bytes": torch.cuda.max_memory_allocated() if cuda else None,
                "dtype": str(dtype), "transformers": transformers.__version__, "torch": torch.__version__}
    if options.losses:
        with open(options.losses, "w", encoding="utf-8") as file:
            for row in result.tolist():
                file.write(json.dumps(row) + "\n")
    print(json.dumps(best))


if __name__ == "__main__":
    sys.exit(main())
