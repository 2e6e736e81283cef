#!/usr/bin/env python3
"""The GPU lab: everything that a proof of the CUDA path needs, carried to a machine that has a GPU and no package feed.

    python3 lab.py prepare --out FOLDER                     on a machine with .NET and the package feeds
    python3 lab.py unpack  --parts FOLDER --into FOLDER     on the GPU machine, once all parts are there
    python3 lab.py run     --lab FOLDER --results FILE      there: runs the pieces, writes the results after each
    python3 lab.py table   RESULTS… [--page docs/gpu.md]    here again: the table of the page

`prepare` writes parts of at most 60 MB, manifest.json with their hashes, and this file. The GPU machine needs an NVIDIA driver, the
libraries of CUDA 13 and Python with PyTorch and transformers (their pip packages hold the CUDA libraries); no .NET, no network. With
`--device cpu` the lab runs without a GPU. Python's standard library only. docs/gpu.md says how to repeat it step by step."""
import argparse
import datetime
import glob
import gzip
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time

PART_BYTES = 60_000_000
ARCHIVE = "shad-gpu-lab.tar.gz"
HERE = os.path.dirname(os.path.abspath(__file__))


class LabError(Exception):
    """What a person can mend: said without a stack trace."""


# ---------------------------------------------------------------- packing

class Parts:
    """A file to write to that is cut into parts of at most `size` bytes."""

    def __init__(self, folder, size):
        self.folder, self.size, self.parts, self.file, self.left = folder, size, [], None, 0

    def write(self, data):
        view = memoryview(data)
        while len(view) > 0:
            if self.left == 0:
                self._next()
            piece = view[:self.left]
            self.file.write(piece)
            self.parts[-1]["sha256"].update(piece)
            self.parts[-1]["bytes"] += len(piece)
            self.left -= len(piece)
            view = view[len(piece):]
        return len(data)

    def flush(self):
        if self.file:
            self.file.flush()

    def _next(self):
        if self.file:
            self.file.close()
        name = f"{ARCHIVE}.{len(self.parts):03}"
        self.file, self.left = open(os.path.join(self.folder, name), "wb"), self.size
        self.parts.append({"name": name, "bytes": 0, "sha256": hashlib.sha256()})

    def close(self):
        if self.file:
            self.file.close()
        return [dict(part, sha256=part["sha256"].hexdigest()) for part in self.parts]


class Joined:
    """The parts as one file to read from; each is checked as it is read."""

    def __init__(self, folder, parts):
        self.folder, self.waiting, self.file, self.hash, self.part = folder, list(parts), None, None, None

    def read(self, size=-1):
        while True:
            if self.file is None:
                if not self.waiting:
                    return b""
                self.part, self.hash = self.waiting.pop(0), hashlib.sha256()
                self.file = open(os.path.join(self.folder, self.part["name"]), "rb")
            data = self.file.read(size if size > 0 else 1 << 20)
            if data:
                self.hash.update(data)
                return data
            self.file.close()
            self.file = None
            if self.hash.hexdigest() != self.part["sha256"]:
                raise LabError(f"{self.part['name']} is damaged: its SHA-256 is not that of the manifest. Carry it again.")


def hash_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def files_under(folder):
    return sorted(
        os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)


def pack(payload, out, part_bytes):
    """Packs a folder into parts and writes the manifest."""
    if part_bytes < 1 or part_bytes > PART_BYTES:
        raise LabError(f"a part of {part_bytes} bytes cannot be carried: expected 1 to {PART_BYTES}")
    if os.path.isdir(out) and os.listdir(out):
        raise LabError(f"{out} is not empty: expected a new folder")
    os.makedirs(out, exist_ok=True)
    names = files_under(payload)
    parts = Parts(out, part_bytes)

    def plain(entry):
        # The same payload gives the same tar, whoever packs it and when.
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    # Streams throughout: the payload is larger than a part, and a copy of it is not needed.
    with gzip.GzipFile("", "wb", 6, parts, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for name in names:
            archive.add(os.path.join(payload, name), arcname=name, recursive=False, filter=plain)
    manifest = {
        "archive": ARCHIVE,
        "part_bytes": part_bytes,
        "parts": parts.close(),
        "files": [
            {"path": name, "bytes": os.path.getsize(os.path.join(payload, name)), "sha256": hash_of(os.path.join(payload, name))}
            for name in names],
    }
    with open(os.path.join(out, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
    shutil.copy(os.path.abspath(__file__), os.path.join(out, "lab.py"))
    return manifest


def unpack(parts_folder, into):
    """Puts the payload together again; every part and every file is checked."""
    path = os.path.join(parts_folder, "manifest.json")
    if not os.path.isfile(path):
        raise LabError(f"{path} is not there. Carry manifest.json beside the parts.")
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    missing = [part["name"] for part in manifest["parts"] if not os.path.isfile(os.path.join(parts_folder, part["name"]))]
    if missing:
        raise LabError(f"parts are missing in {parts_folder}: {', '.join(missing)}. Carry them too.")
    for part in manifest["parts"]:
        size = os.path.getsize(os.path.join(parts_folder, part["name"]))
        if size != part["bytes"]:
            raise LabError(f"{part['name']} has {size} bytes; expected {part['bytes']}. Carry it again.")
    os.makedirs(into, exist_ok=True)
    try:
        with tarfile.open(fileobj=Joined(parts_folder, manifest["parts"]), mode="r|gz") as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(into)
    except (tarfile.TarError, EOFError, OSError) as error:
        for part in manifest["parts"]:
            if hash_of(os.path.join(parts_folder, part["name"])) != part["sha256"]:
                raise LabError(f"{part['name']} is damaged: its SHA-256 is not that of the manifest. Carry it again.") from error
        raise
    for entry in manifest["files"]:
        target = os.path.join(into, entry["path"])
        if not os.path.isfile(target) or hash_of(target) != entry["sha256"]:
            raise LabError(f"{entry['path']} did not come out as it was packed")
    return manifest


def prepare(options):
    """Builds everything and packs it."""
    root = os.path.abspath(options.root)
    work = os.path.abspath(options.work)
    payload = os.path.join(work, "payload")
    if os.path.isdir(payload):
        shutil.rmtree(payload)
    binaries = os.path.join(payload, "bin")
    # One folder for the three programs: they share the .NET runtime. Build output of its own, since the packages are others.
    for project in ("src/Shad.Cli", "src/Shad.Sidecar", "scripts/gpu-lab"):
        command([
            "dotnet", "publish", os.path.join(root, project), "-c", "Release", "-r", "linux-x64", "--self-contained", "true",
            f"-p:ShadDevice={options.onnx}", "-p:ShadTorch=none", f"-p:ArtifactsPath={os.path.join(work, 'artifacts')}",
            "-p:DebugType=none", "-o", binaries, "--nologo", "-v", "q"])
    for unused in glob.glob(os.path.join(binaries, "*tensorrt*")) + glob.glob(os.path.join(binaries, "*.pdb")) + glob.glob(os.path.join(binaries, "*.xml")):
        os.remove(unused)
    shutil.copytree(os.path.join(root, "models", "shad-mini"), os.path.join(payload, "models", "shad-mini"))
    os.makedirs(os.path.join(payload, "data"))
    shutil.copy(options.corpus, os.path.join(payload, "data", "corpus.jsonl"))
    for name in ("lab.py", "compare_transformers.py"):
        shutil.copy(os.path.join(HERE, name), os.path.join(payload, name))
    if options.probes:
        for name in ("probe", "control"):
            model = os.path.join(options.probes, name, "model")
            if not os.path.isdir(model):
                raise LabError(f"{model} is not there: expected what 'shad probe --out {options.probes}' wrote")
            shutil.copytree(model, os.path.join(payload, "probes", name), ignore=shutil.ignore_patterns("onnx*"))
    manifest = pack(payload, options.out, options.part_bytes)
    total = sum(part["bytes"] for part in manifest["parts"])
    print(f"{len(manifest['parts'])} parts, {total / 1e6:.0f} MB, {len(manifest['files'])} files: {options.out}")


def command(arguments):
    print("+", " ".join(arguments), file=sys.stderr)
    if subprocess.run(arguments).returncode != 0:
        raise LabError(f"failed: {' '.join(arguments[:3])}")


# ---------------------------------------------------------------- running

def cuda_folders():
    """Folders with the CUDA libraries of Python's packages and of the system."""
    found = []
    for base in sys.path + glob.glob("/usr/local/cuda*"):
        for pattern in ("nvidia/*/lib", "lib64"):
            for folder in glob.glob(os.path.join(base, pattern)):
                if glob.glob(os.path.join(folder, "libcu*.so*")):
                    found.append(folder)
    return list(dict.fromkeys(found))


def torch_folder():
    try:
        import importlib.util
        spec = importlib.util.find_spec("torch")
        return os.path.join(os.path.dirname(spec.origin), "lib") if spec and spec.origin else None
    except (ImportError, ValueError):
        return None


class Memory(threading.Thread):
    """The most memory in use on the GPU while a piece runs, by nvidia-smi, less what was in use before."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended, self.before, self.most = threading.Event(), self.used(), None

    @staticmethod
    def used():
        try:
            out = subprocess.run(
                ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=20)
            return sum(int(line) for line in out.stdout.split()) * (1 << 20) if out.returncode == 0 else None
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None

    def run(self):
        while self.before is not None and not self.ended.wait(0.3):
            now = self.used()
            if now is not None:
                self.most = max(self.most or 0, now)

    def stop(self):
        self.ended.set()
        self.join()
        return None if self.most is None else max(0, self.most - self.before)


class Lab:
    def __init__(self, options):
        self.options = options
        self.lab = os.path.abspath(options.lab)
        self.work = os.path.abspath(options.work or os.path.join(self.lab, "work"))
        self.device = options.device
        self.cuda = options.device.startswith("cuda")
        os.makedirs(self.work, exist_ok=True)
        self.environment = dict(os.environ)
        paths = cuda_folders() + [p for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if p]
        if paths:
            self.environment["LD_LIBRARY_PATH"] = ":".join(paths)
        torch = options.libtorch or torch_folder()
        if torch:
            self.environment["SHAD_LIBTORCH"] = torch
        self.environment["SHAD_SIDECAR"] = os.path.join(self.lab, "bin", "Shad.Sidecar")
        self.environment["DOTNET_NOLOGO"] = "1"
        self.environment.setdefault("HF_HUB_OFFLINE", "1")
        self.results = {
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "device": self.device, "pieces": {}}
        self.deadline = time.monotonic() + options.seconds

    def bin(self, name):
        return os.path.join(self.lab, "bin", name)

    def left(self):
        return self.deadline - time.monotonic()

    def execute(self, arguments, measure=False, extra=None):
        """Runs a program; gives the JSON object of its last line."""
        if self.left() < 5:
            raise LabError("the lab's time is used up")
        memory = Memory() if measure and self.cuda else None
        if memory:
            memory.start()
        start = time.monotonic()
        try:
            done = subprocess.run(
                arguments, capture_output=True, text=True, env={**self.environment, **(extra or {})}, cwd=self.work, timeout=self.left())
        except subprocess.TimeoutExpired:
            raise LabError(f"{os.path.basename(arguments[0])} was stopped after {time.monotonic() - start:.0f} s: the lab's time is used up") from None
        finally:
            peak = memory.stop() if memory else None
        with open(os.path.join(self.work, "lab.log"), "a", encoding="utf-8") as log:
            log.write(f"+ {' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}\n")
        lines = done.stdout.strip().splitlines()
        try:
            answer = json.loads(lines[-1]) if lines else {}
        except ValueError:
            answer = {}
        if done.returncode != 0:
            if "Traceback (most recent call last)" in done.stderr:
                raise LabError(done.stderr.strip().splitlines()[-1])
            raise LabError(answer.get("message") or (done.stderr.strip() or done.stdout.strip())[-1500:] or f"exit code {done.returncode}")
        if peak is not None:
            answer["peak_device_bytes"] = peak
        return answer

    def piece(self, name, work):
        if self.options.pieces and not any(re.fullmatch(pattern, name) for pattern in self.options.pieces.split(",")):
            return None
        start = time.monotonic()
        try:
            result = work()
        except LabError as error:
            result = {"failed": str(error)}
        except Exception as error:  # Whatever one piece does, the others shall still run and the results be written.
            result = {"failed": f"{type(error).__name__}: {error}"}
        result["piece_seconds"] = round(time.monotonic() - start, 1)
        self.results["pieces"][name] = result
        self.save()
        print(f"{name}: {'FAILED ' + result['failed'] if 'failed' in result else 'done'} ({result['piece_seconds']} s)", file=sys.stderr, flush=True)
        return None if "failed" in result else result

    def save(self):
        folder = os.path.dirname(os.path.abspath(self.options.results))
        os.makedirs(folder, exist_ok=True)
        temporary = self.options.results + ".tmp"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.results, file, indent=1)
        os.replace(temporary, self.options.results)

    # ---- the pieces

    def machine(self):
        found = {"system": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version(), "cuda_folders": cuda_folders()}
        try:
            smi = subprocess.run(
                ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"], capture_output=True, text=True, timeout=30)
            found["gpus"] = smi.stdout.strip().splitlines() if smi.returncode == 0 else []
        except (OSError, subprocess.TimeoutExpired):
            found["gpus"] = []
        try:
            found["doctor"] = self.execute([self.bin("shad"), "doctor", "--json"])
        except LabError as error:
            # The doctor ends with an error where the sidecar has no libtorch; its findings are in the log.
            found["doctor"] = {"failed": str(error)}
        return found

    def peak(self):
        """The measured matrix-product peak, against which MFU is counted: bf16 8192³ on a GPU."""
        script = (
            "import torch,time,json,sys\n"
            "cuda=sys.argv[1].startswith('cuda'); n=8192 if cuda else 1024; t=torch.bfloat16 if cuda else torch.float32\n"
            "a=torch.randn(n,n,dtype=t,device=sys.argv[1]); b=torch.randn(n,n,dtype=t,device=sys.argv[1])\n"
            "def wait():\n    torch.cuda.synchronize() if cuda else None\n"
            "[a@b for _ in range(3)]; wait(); best=1e9\n"
            "for _ in range(5):\n"
            "    s=time.perf_counter(); [a@b for _ in range(10)]; wait(); best=min(best,(time.perf_counter()-s)/10)\n"
            "print(json.dumps({'teraflops':round(2*n**3/best/1e12,2),'size':n,'dtype':str(t),'torch':torch.__version__}))\n")
        return self.execute([sys.executable, "-c", script, self.device])

    def models(self):
        self.execute([self.bin("gpu-lab"), "models", "--out", os.path.join(self.work, "models"), "--shapes", self.options.shapes])
        return {"shapes": self.options.shapes.split(","), "seed": 1}

    def score(self, out, device, precision):
        probes = [part for name in ("probe", "control") if os.path.isdir(self.probe(name)) for part in ("--probe", self.probe(name))]
        return self.execute([
            self.bin("shad"), "score", "--model", os.path.join(self.lab, "models", "shad-mini"), *probes,
            "--corpus", os.path.join(self.lab, "data", "corpus.jsonl"), *self.limit(), "--out", os.path.join(self.work, out),
            "--device", device, "--precision", precision, "--json"])

    def limit(self):
        return ["--limit", str(self.options.limit)] if self.options.limit else []

    def probe(self, name):
        # Probes are stored as changes to a base model that they refer to by its place: here it is another.
        source = os.path.join(self.lab, "probes", name)
        return source if not os.path.isdir(source) else self.moved(source, name)

    def moved(self, source, name):
        target = os.path.join(self.work, "probes", name)
        if not os.path.isdir(target):
            shutil.copytree(source, target)
            reference = os.path.join(target, "shad_base.json")
            if os.path.isfile(reference):
                with open(reference, encoding="utf-8") as file:
                    base = json.load(file)
                base["base"] = os.path.relpath(os.path.join(self.lab, "models", "shad-mini"), target)
                with open(reference, "w", encoding="utf-8") as file:
                    json.dump(base, file)
        return target

    def rows(self, name):
        with open(os.path.join(self.work, name), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def roles(self, scored, out):
        self.execute([self.bin("shad"), "annotate", "--scored", os.path.join(self.work, scored), "--out", os.path.join(self.work, out), "--json"])

    def parity(self, precision):
        """shad-mini on the corpus: losses and roles on the device against float32 on the CPU."""
        if not os.path.isfile(os.path.join(self.work, "cpu.jsonl")):
            self.reference = self.score("cpu.jsonl", "cpu", "float32")
        result = self.score(f"{precision}.jsonl", self.device, precision)
        differences = []
        for column in ("base_loss", "probe_loss", "control_loss"):
            for expected, actual in zip(self.rows("cpu.jsonl"), self.rows(f"{precision}.jsonl"), strict=True):
                if expected["id"] != actual["id"]:
                    raise LabError(f"the order differs: {expected['id']} and {actual['id']}")
                differences += [
                    abs(a - b) for a, b in zip(expected.get(column) or [], actual.get(column) or [], strict=True) if a is not None]
        found = {key: result[key] for key in ("device", "device_reason", "precision", "tokens_per_second", "samples", "response_tokens", "models", "shared_layers")}
        found |= {
            "losses": len(differences), "largest_difference": max(differences),
            "mean_difference": sum(differences) / len(differences)}
        found["losses_agree"] = found["largest_difference"] <= 2e-2 and found["mean_difference"] <= 3e-3
        if found["models"] == 3:
            self.roles("cpu.jsonl", "cpu.roles.jsonl")
            self.roles(f"{precision}.jsonl", f"{precision}.roles.jsonl")
            same = total = 0
            for expected, actual in zip(self.rows("cpu.roles.jsonl"), self.rows(f"{precision}.roles.jsonl"), strict=True):
                for a, b in zip(expected["role"], actual["role"], strict=True):
                    total += a is not None
                    same += a is not None and a == b
            found |= {"roles": total, "roles_same": same / total, "roles_agree": same / total >= 0.995}
        return found

    def throughput(self, shape, probe, precision, sequences, length, extra=()):
        models = os.path.join(self.work, "models", shape)
        losses = os.path.join(self.work, f"{shape}.losses.jsonl")
        return self.execute([
            self.bin("gpu-lab"), "throughput", "--models", f"{models},{models}-probe" if probe else models, "--device", self.device,
            "--precision", precision, "--sequences", str(sequences), "--length", str(length), *extra,
            *([] if probe else ["--losses", losses])], measure=True)

    def transformers(self, shape, mode, sequences, length):
        result = self.execute([
            sys.executable, os.path.join(self.lab, "compare_transformers.py"), "--model", os.path.join(self.work, "models", shape),
            "--device", self.device, "--sequences", str(sequences), "--length", str(length), "--mode", mode,
            "--losses", os.path.join(self.work, f"{shape}.{mode}.jsonl")], measure=True)
        ours = os.path.join(self.work, f"{shape}.losses.jsonl")
        if os.path.isfile(ours):
            pairs = [
                abs(a - b) for x, y in zip(self.rows(ours), self.rows(f"{shape}.{mode}.jsonl"), strict=True) for a, b in zip(x, y, strict=True)]
            result |= {"largest_difference_to_ours": max(pairs), "mean_difference_to_ours": sum(pairs) / len(pairs)}
        return result

    def sidecar(self):
        """Whether the sidecar computes with the libtorch found here; LD_BIND_NOW tells a symbol that it lacks at once."""
        return self.execute([self.bin("Shad.Sidecar"), "doctor"], extra={"LD_BIND_NOW": "1"}) | {"libtorch": self.environment.get("SHAD_LIBTORCH")}

    def whole_run(self):
        """From the corpus to annotations: sample, probe and control tuned on the device, scored on it, roles found."""
        recipe = os.path.join(self.work, "lab.yaml")
        limit = f"  limit: {self.options.limit}\n" if self.options.limit else ""
        with open(recipe, "w", encoding="utf-8") as file:
            file.write(
                f"name: gpu-lab\nseed: 1\nmodel:\n  path: {self.lab}/models/shad-mini\n"
                f"corpus:\n  files: {self.lab}/data/corpus.jsonl\n{limit}"
                f"probe:\n  fraction: 0.01\n  minimum_samples: {self.options.probe_samples}\n  epochs: {self.options.probe_epochs}\n  learning_rate: 1e-3\n"
                f"  device: {self.device}\n  precision: auto\n"
                f"score:\n  device: {self.device}\ntune:\n  arms: []\n")
        runs = os.path.join(self.work, "runs")
        answer = self.execute([self.bin("shad"), "run", recipe, "--runs", runs, "--json"], measure=True)
        annotations = glob.glob(os.path.join(runs, "gpu-lab", "*annotate*", "*.parquet"))
        if not annotations:
            raise LabError("the run wrote no annotations")
        return {"answer": answer, "annotations": [os.path.basename(path) for path in annotations],
                "annotation_bytes": sum(os.path.getsize(path) for path in annotations)}

    def run(self):
        options, shapes = self.options, self.options.shapes.split(",")
        self.piece("machine", self.machine)
        self.piece("peak", self.peak)
        for precision in (["float16", "bfloat16"] if self.cuda else ["float16"]):
            self.piece(f"parity-{precision}", lambda: self.parity(precision))
        self.piece("models", self.models)
        for shape in shapes:
            large = shape == "8b"
            sequences = max(2, options.sequences // 4) if large else options.sequences
            precision = "bfloat16" if self.cuda else "float32"
            base = self.piece(f"{shape}-ours", lambda: self.throughput(shape, False, precision, sequences, options.length))
            if not large:
                both = self.piece(f"{shape}-ours-with-probe", lambda: self.throughput(shape, True, precision, sequences, options.length))
                if base and both:
                    both["cost_of_one_model"] = round(both["seconds"] / base["seconds"], 3)
            for mode in ("full", "chunked"):
                theirs = self.piece(f"{shape}-transformers-{mode}", lambda: self.transformers(shape, mode, sequences, options.length))
                if base and theirs:
                    theirs["ours_is_faster_by"] = round(base["tokens_per_second"] / theirs["tokens_per_second"], 3)
            peak = self.results["pieces"].get("peak", {}).get("teraflops")
            for name in (f"{shape}-ours",):
                if base and peak:
                    self.results["pieces"][name]["mfu"] = round(base["teraflops"] / peak, 4)
            self.save()
        self.piece("sidecar", self.sidecar)
        self.piece("bfcl-run", self.whole_run)
        failed = [name for name, result in self.results["pieces"].items() if "failed" in result]
        self.results["failed"] = failed
        self.save()
        print(f"{len(self.results['pieces']) - len(failed)} pieces done, {len(failed)} failed: {options.results}")
        return 0


# ---------------------------------------------------------------- the table

def table(results):
    """The results as Markdown."""
    def number(value, form="{:,.0f}"):
        return "–" if value is None else form.format(value)

    lines = []
    for path in results:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        pieces = found["pieces"]
        gpu = ", ".join(pieces.get("machine", {}).get("gpus") or []) or "no GPU"
        lines += [f"### {os.path.basename(path)}: {gpu}, `--device {found['device']}`, {found['created'][:10]}", ""]
        peak = pieces.get("peak", {}).get("teraflops")
        lines += [f"Measured matrix-product peak: {number(peak, '{:,.1f}')} TFLOP/s.", ""]
        lines += ["| what | tokens/s | MFU | peak memory, GiB | to compare |", "| --- | ---: | ---: | ---: | --- |"]
        for name, piece in pieces.items():
            if "-ours" not in name and "-transformers-" not in name:
                continue
            if "failed" in piece:
                lines.append(f"| {name} | failed | | | {one_line(piece['failed'])} |")
                continue
            memory = piece.get("peak_device_bytes") or piece.get("peak_memory_bytes")
            compare = [
                f"ours is {piece['ours_is_faster_by']:.2f}× as fast" if "ours_is_faster_by" in piece else "",
                f"{piece['cost_of_one_model']:.2f}× one model's time" if "cost_of_one_model" in piece else "",
                f"losses differ by {piece['mean_difference_to_ours']:.1e} on average" if "mean_difference_to_ours" in piece else ""]
            lines.append(
                f"| {name} | {number(piece['tokens_per_second'])} | {number(piece.get('mfu'), '{:.1%}')} | "
                f"{number(memory and memory / 2**30, '{:.1f}')} | {', '.join(filter(None, compare))} |")
        lines += ["", "| parity with float32 on the CPU | mean, nats | largest, nats | same roles | holds |", "| --- | ---: | ---: | ---: | --- |"]
        for name, piece in pieces.items():
            if not name.startswith("parity-"):
                continue
            if "failed" in piece:
                lines.append(f"| {name} | failed | | | {one_line(piece['failed'])} |")
                continue
            holds = piece["losses_agree"] and piece.get("roles_agree", True)
            lines.append(
                f"| shad-mini in {piece['precision']} on {piece['device']} | {piece['mean_difference']:.1e} | {piece['largest_difference']:.1e} | "
                f"{number(piece.get('roles_same'), '{:.2%}')} | {'yes' if holds else 'no'} |")
        others = [name for name in ("sidecar", "bfcl-run") if name in pieces]
        lines += [""] + [f"- {name}: {'failed: ' + one_line(pieces[name]['failed']) if 'failed' in pieces[name] else 'done'}" for name in others] + [""]
    return "\n".join(lines)


def one_line(text):
    return " ".join(text.split())[:200].replace("|", "\\|")


def write_table(options):
    text = table(options.results)
    if not options.page:
        print(text)
        return
    with open(options.page, encoding="utf-8") as file:
        page = file.read()
    begin, end = "<!-- results -->", "<!-- /results -->"
    if begin not in page or end not in page:
        raise LabError(f"{options.page} has no place for the table: expected the lines {begin} and {end}")
    head, tail = page.split(begin)[0], page.split(end)[1]
    with open(options.page, "w", encoding="utf-8") as file:
        file.write(f"{head}{begin}\n{text}\n{end}{tail}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("--out", required=True)
    one.add_argument("--root", default=os.path.join(HERE, "..", ".."), help="the project")
    one.add_argument("--work", default=os.path.join(HERE, "work"))
    one.add_argument("--corpus", default=os.path.join(HERE, "..", "..", "..", "shared", "data", "bfcl.jsonl"))
    one.add_argument("--probes", help="what 'shad probe --out DIR' wrote for shad-mini on the corpus; without it roles are not compared")
    one.add_argument("--onnx", choices=["cpu", "cuda"], default="cuda", help="ONNX Runtime to carry")
    one.add_argument("--part-bytes", type=int, default=PART_BYTES)
    one = commands.add_parser("pack")
    one.add_argument("--payload", required=True)
    one.add_argument("--out", required=True)
    one.add_argument("--part-bytes", type=int, default=PART_BYTES)
    one = commands.add_parser("unpack")
    one.add_argument("--parts", required=True)
    one.add_argument("--into", required=True)
    one = commands.add_parser("run")
    one.add_argument("--lab", default=HERE)
    one.add_argument("--work")
    one.add_argument("--results", required=True)
    one.add_argument("--device", default="cuda:0")
    one.add_argument("--shapes", default="1.2b,135m,8b")
    one.add_argument("--sequences", type=int, default=64)
    one.add_argument("--length", type=int, default=2048)
    one.add_argument("--limit", type=int, help="samples of the corpus; all where left out")
    one.add_argument("--probe-samples", type=int, default=200)
    one.add_argument("--probe-epochs", type=float, default=4)
    one.add_argument("--pieces", help="only these, regular expressions with commas between")
    one.add_argument("--libtorch", help="folder with libtorch; that of Python's torch where left out")
    one.add_argument("--seconds", type=float, default=1500)
    one = commands.add_parser("table")
    one.add_argument("results", nargs="+")
    one.add_argument("--page")
    options = parser.parse_args()
    try:
        if options.command == "prepare":
            prepare(options)
        elif options.command == "pack":
            pack(options.payload, options.out, options.part_bytes)
        elif options.command == "unpack":
            unpack(options.parts, options.into)
        elif options.command == "run":
            return Lab(options).run()
        else:
            write_table(options)
        return 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
