"""Trains a llama model folder in PyTorch eager, as the job of the sidecar says, and writes a line of JSON a step: what bench.py compares with.

The model is written out by hand, with the usual operations of a PyTorch program: a causal mask, softmax attention, cross entropy over the
logits of all positions, autocast for bfloat16, AdamW of torch.optim. Needs torch only.
"""
import json
import mmap
import resource
import struct
import sys
import time

import torch
import torch.nn.functional as F


def read_safetensors(path):
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(
            data, dtype=torch.float32, count=(end - begin) // 4, offset=8 + size + begin).reshape(entry["shape"]).clone()
    return tensors


class LoraLinear(torch.nn.Module):
    def __init__(self, weight, rank, alpha):
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=False)
        self.a = torch.nn.Parameter(torch.empty(rank, weight.shape[1]).uniform_(-1, 1) / weight.shape[1] ** 0.5)
        self.b = torch.nn.Parameter(torch.zeros(weight.shape[0], rank))
        self.scale = alpha / rank

    def forward(self, x):
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.a), self.b) * self.scale


class Linear(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, x):
        return F.linear(x, self.weight)


class Norm(torch.nn.Module):
    def __init__(self, weight, epsilon, tuned):
        super().__init__()
        self.weight = torch.nn.Parameter(weight, requires_grad=tuned)
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotate(x, cosine, sine):
    half = x.shape[-1] // 2
    return x * cosine + torch.cat((-x[..., half:], x[..., :half]), -1) * sine


class Layer(torch.nn.Module):
    def __init__(self, take, config, linear, tuned):
        super().__init__()
        self.heads, self.groups, self.size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
        self.norm = Norm(take("input_layernorm.weight"), config["rms_norm_eps"], tuned)
        self.mlp_norm = Norm(take("post_attention_layernorm.weight"), config["rms_norm_eps"], tuned)
        self.q, self.k, self.v, self.o = (linear(take(f"self_attn.{name}_proj.weight")) for name in "qkvo")
        self.gate, self.up, self.down = (linear(take(f"mlp.{name}_proj.weight")) for name in ("gate", "up", "down"))

    def forward(self, x, cosine, sine, mask):
        batch, length, _ = x.shape
        n = self.norm(x)
        q = rotate(self.q(n).view(batch, length, self.heads, self.size).transpose(1, 2), cosine, sine)
        k = rotate(self.k(n).view(batch, length, self.groups, self.size).transpose(1, 2), cosine, sine)
        v = self.v(n).view(batch, length, self.groups, self.size).transpose(1, 2)
        k, v = (t.repeat_interleave(self.heads // self.groups, 1) for t in (k, v))
        scores = torch.matmul(q, k.transpose(2, 3)) / self.size ** 0.5 + mask
        attended = torch.matmul(torch.softmax(scores, -1, dtype=torch.float32).to(v.dtype), v)
        x = x + self.o(attended.transpose(1, 2).reshape(batch, length, -1))
        n = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Decoder(torch.nn.Module):
    def __init__(self, config, tensors, lora):
        super().__init__()
        linear = (lambda weight: LoraLinear(weight, lora["rank"], lora["alpha"])) if lora else Linear
        self.embedding = torch.nn.Parameter(tensors.pop("model.embed_tokens.weight"), requires_grad=not lora)
        self.layers = torch.nn.ModuleList(
            Layer(lambda name, i=i: tensors.pop(f"model.layers.{i}.{name}"), config, linear, not lora)
            for i in range(config["num_hidden_layers"]))
        self.norm = Norm(tensors.pop("model.norm.weight"), config["rms_norm_eps"], not lora)
        assert not tensors, list(tensors)
        self.size, self.theta = config["head_dim"], config["rope_theta"]

    def forward(self, ids):
        length = ids.shape[1]
        angles = torch.outer(
            torch.arange(length, dtype=torch.float32), self.theta ** (-torch.arange(0, self.size, 2, dtype=torch.float32) / self.size))
        angles = torch.cat((angles, angles), -1)
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = F.embedding(ids, self.embedding)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), mask)
        return F.linear(self.norm(x), self.embedding)


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    with open(job["model"] + "/config.json") as file:
        config = json.load(file)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    model = Decoder(config, read_safetensors(job["model"] + "/model.safetensors"), job.get("lora"))
    tuned = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in tuned if p.dim() > 1 and p is not model.embedding]
    others = [p for p in tuned if not any(p is d for d in decayed)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": job["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
        lr=job["learning_rate"], betas=(job["beta1"], job["beta2"]), eps=1e-8)
    with open(job["data"]) as file:
        samples = [json.loads(line) for line in file]
    half = job["precision"] == "bfloat16"
    for step in range(job["steps"]):
        batch = samples[step * job["samples_per_step"]:(step + 1) * job["samples_per_step"]]
        started = time.perf_counter()
        ids = torch.tensor([sample["input_ids"] for sample in batch])
        labels = torch.tensor([sample["labels"] for sample in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            logits = model(ids)
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]).float(), labels[:, 1:].reshape(-1), ignore_index=-100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned, job["maximum_gradient_norm"])
        optimizer.step()
        seconds = time.perf_counter() - started
        print(json.dumps({
            "step": step + 1, "loss": loss.item(), "tokens_per_second": ids.numel() / seconds,
            "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


main()
