"""Training throughput and peak memory of the sidecar against PyTorch eager: see bench.sh.

    bench.py WORK SIDECAR [MODE …]      modes: full-fp32 full-bf16 lora-fp32 lora-bf16

A B A B: each side is run twice, in turn, in processes of its own. Before anything is timed, the losses of the first steps must agree.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys

MODES = ["full-fp32", "full-bf16", "lora-fp32", "lora-bf16"]
WARM_UP = 1


def run(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [json.loads(line) for line in process.stdout if line.startswith("{")]
    if process.returncode != 0:
        sys.exit(f"{command} failed: {lines[-1:]}")
    return [line for line in lines if line.get("event", "progress") == "progress"]


def main():
    work, sidecar = sys.argv[1:3]
    here = os.path.dirname(os.path.abspath(__file__))
    results = {}
    for mode in sys.argv[3:] or MODES:
        job = os.path.join(work, mode + ".json")
        sides = {"sidecar": [], "pytorch": []}
        for side in ("sidecar", "pytorch") * 2:
            for left in (mode, mode + ".checkpoints"):
                shutil.rmtree(os.path.join(work, left), ignore_errors=True)
            command = [sidecar, "tune", "--job", job] if side == "sidecar" else [sys.executable, os.path.join(here, "eager.py"), job]
            sides[side].append(run(command))

        # float32: the same sums in another order. bfloat16 and random adapters: near, not the same.
        for ours, theirs in zip(sides["sidecar"][0], sides["pytorch"][0]):
            tolerance = 1e-4 if mode == "full-fp32" or (mode == "lora-fp32" and ours["step"] == 1) else 3e-2
            difference = abs(ours["loss"] - theirs["loss"])
            if difference > tolerance:
                sys.exit(f"{mode}, step {ours['step']}: losses {ours['loss']} and {theirs['loss']} differ by {difference}, more than {tolerance}")

        results[mode] = {}
        for side, rounds in sides.items():
            rates = [line["tokens_per_second"] for lines in rounds for line in lines if line["step"] > WARM_UP]
            results[mode][side] = {
                "tokens_per_second": round(statistics.median(rates), 1), "slowest": round(min(rates), 1), "fastest": round(max(rates), 1),
                "steps": len(rates), "peak_mb": round(max(line["peak_memory"] for lines in rounds for line in lines) / 1e6),
                "losses": [round(line["loss"], 5) for line in rounds[0][:3]],
            }
        ours, theirs = results[mode]["sidecar"], results[mode]["pytorch"]
        print(
            f"{mode}: {ours['tokens_per_second']:.0f} against {theirs['tokens_per_second']:.0f} tokens/s "
            f"({ours['tokens_per_second'] / theirs['tokens_per_second']:.2f} ×), peak {ours['peak_mb']} against {theirs['peak_mb']} MB", flush=True)

    path = os.path.join(work, "bench-training.json")
    if os.path.exists(path):
        with open(path) as file:
            results = {**json.load(file), **results}
    with open(path, "w") as file:
        json.dump(results, file, indent=2)
        file.write("\n")


main()
