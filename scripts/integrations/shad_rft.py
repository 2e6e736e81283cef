"""Annotations of Shad.Onnx in trainers of the Hugging Face kind: a reader, a collator, the losses, and a mixin for transformers' `Trainer`
and TRL's `SFTTrainer`. Needs torch; the rest only where it is used. See docs/integrations.md.

The losses are those of `shad tune`. One optimizer step minimises

    sum of c_i * loss_i        over the response tokens of the whole step: of all its micro-batches and of all processes,

    sft       c = 1 / N
    weighted  c = w_i / sum of w
    mask      c = 1 / n_r for reasoning tokens, 0 for others
    rft       c = omega_g / n_g of the token's role group g, (omega_b, omega_r) = softmax(L_b / tau, L_r / tau)       arXiv:2412.14780

with loss_i = -ln p(token_i | tokens before it) in nats, L_g and n_g a group's mean loss and size. The coefficients are constants: no gradient
flows through them. So N micro-batches of one sample give the step of one batch of N, on one machine or on many.
"""

import gzip
import json
import math

import torch
from torch.nn.functional import cross_entropy

IGNORED = -100
BOILERPLATE, REASONING, NO_ROLE = 0, 1, -1
_COLUMNS = ["id", "input_ids", "labels", "role", "weight"]


def read_annotations(path):
    """Rows of an annotation file, dicts with id, input_ids, labels and, where the file has them, role and weight: .jsonl, .jsonl.gz, or
    .parquet through whichever of pyarrow, pandas and duckdb is installed."""
    path = str(path)
    if not path.endswith(".parquet"):
        with (gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")) as lines:
            rows = (json.loads(line) for line in lines if line.strip())
            return [{name: row[name] for name in _COLUMNS if row.get(name) is not None} for row in rows]
    try:
        import pyarrow.parquet

        file = pyarrow.parquet.ParquetFile(path)
        return file.read(columns=[name for name in _COLUMNS if name in file.schema_arrow.names]).to_pylist()
    except ImportError:
        pass
    try:
        import duckdb

        table = duckdb.read_parquet(path)
        names = [name for name in _COLUMNS if name in table.columns]
        return [dict(zip(names, row)) for row in table.project(", ".join(names)).fetchall()]
    except ImportError:
        raise ImportError(f"{path} is Parquet: install pyarrow or duckdb, or write annotations as .jsonl") from None


class AnnotationCollator:
    """Pads annotation rows on the right to the longest: input_ids, attention_mask, labels [B,S] (int64), role [B,S] (int64, -1 where there is
    none), weight [B,S] (float32, 1 where the row has none)."""

    def __init__(self, pad_token_id, multiple_of=1):
        self.pad_token_id = pad_token_id
        self.multiple_of = multiple_of

    def __call__(self, rows):
        length = max(len(row["input_ids"]) for row in rows)
        length = -(-length // self.multiple_of) * self.multiple_of

        def padded(lists, filler, dtype):
            return torch.tensor([list(values) + [filler] * (length - len(values)) for values in lists], dtype=dtype)

        def of(row, name, missing):
            values = row.get(name)
            return [missing] * len(row["input_ids"]) if values is None else [missing if value is None else value for value in values]

        ids = [row["input_ids"] for row in rows]
        return {
            "input_ids": padded(ids, self.pad_token_id, torch.long),
            "attention_mask": padded([[1] * len(row) for row in ids], 0, torch.long),
            "labels": padded([row["labels"] for row in rows], IGNORED, torch.long),
            "role": padded([of(row, "role", NO_ROLE) for row in rows], NO_ROLE, torch.long),
            "weight": padded([of(row, "weight", 1.0) for row in rows], 0.0, torch.float32),
        }


def target_losses(logits, labels):
    """Losses in nats of the response tokens, [N] float32, and where they stand in labels[:, 1:], a mask [B,S-1].

    The logits at position s predict token s + 1:    logits  s0 s1 s2 ...
                                                     labels     y1 y2 y3 ...
    """
    labels = labels[:, 1:]
    targets = labels != IGNORED
    return cross_entropy(logits[:, :-1][targets].float(), labels[targets], reduction="none"), targets


class Objective:
    """What a step minimises, and its coefficients from sums over the step, which micro-batches and processes add up.

    name: sft, weighted, mask or rft. The rest is of rft, the options of `shad tune`: temperature (tau, nats), by_size (omega_g in proportion to
    n_g * exp(L_g / tau)), boilerplate_floor (least weight of a boilerplate token as a share of 1/N) and anneal_from (share of the tune's steps
    after which the weights go over to those of sft; 1 is never, and the paper's).
    """

    def __init__(self, name="rft", temperature=1.0, by_size=False, boilerplate_floor=0.0, anneal_from=0.5):
        if name not in ("sft", "weighted", "mask", "rft"):
            raise ValueError(f"objective is '{name}'; expected sft, weighted, mask or rft")
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"temperature is {temperature}; expected a number above 0, in nats")
        if not 0 <= boilerplate_floor <= 1:
            raise ValueError(f"boilerplate_floor is {boilerplate_floor}; expected a share from 0 to 1")
        if not 0 <= anneal_from <= 1:
            raise ValueError(f"anneal_from is {anneal_from}; expected a share from 0 to 1, where 1 is never")
        self.name, self.temperature, self.by_size, self.boilerplate_floor = name, temperature, by_size, boilerplate_floor
        self.anneal_from = anneal_from

    @property
    def needs_losses(self):
        """True where the coefficients depend on the losses of the whole step."""
        return self.name == "rft"

    def sums(self, losses, role, weight):
        """What a micro-batch adds to the sums of its step: [boilerplate tokens, their losses, reasoning tokens, their losses, all tokens, weights],
        float64. `losses`, `role`, `weight` are those of its response tokens, [N]."""
        if self.name in ("mask", "rft") and bool((role == NO_ROLE).any()):
            raise ValueError(f"a response token has no role, which the objective '{self.name}' needs: annotate the corpus with 'shad annotate'")
        reasoning = (role == REASONING).double()
        losses = losses.detach().double()
        return torch.stack([
            (1 - reasoning).sum(), ((1 - reasoning) * losses).sum(), reasoning.sum(), (reasoning * losses).sum(),
            torch.ones_like(losses).sum(), weight.double().sum(),
        ])

    def coefficients(self, sums, role, weight, progress=0.0):
        """Coefficients of response tokens, [N] float32, by the sums of their step and the share of the tune's steps that lie behind it."""
        n_b, loss_b, n_r, loss_r, count, weights = sums.tolist()
        reasoning = role == REASONING
        if self.name == "sft":
            return torch.full_like(weight, 1 / max(count, 1))
        if self.name == "weighted":
            return weight / weights if weights > 0 else torch.zeros_like(weight)
        if self.name == "mask":
            return reasoning.float() / max(n_r, 1)
        omega_b, omega_r = self.group_weights(loss_b / max(n_b, 1), n_b, loss_r / max(n_r, 1), n_r, progress)
        return torch.where(reasoning, omega_r / max(n_r, 1), omega_b / max(n_b, 1)).to(weight.dtype)

    def group_weights(self, loss_b, n_b, loss_r, n_r, progress=0.0):
        """(omega_b, omega_r) by the groups' mean losses and sizes, and by progress; a group that is alone has weight 1."""
        if n_b == 0 or n_r == 0:
            return (0.0, 1.0) if n_b == 0 else (1.0, 0.0)
        logit = (loss_r - loss_b) / self.temperature + (math.log(n_r / n_b) if self.by_size else 0)
        small = math.exp(-abs(logit))
        high, low = 1 / (1 + small), small / (1 + small)
        omega_b, omega_r = (low, high) if logit >= 0 else (high, low)
        least = self.boilerplate_floor * n_b / (n_b + n_r)
        if omega_b < least:
            omega_b, omega_r = least / (least + omega_r), omega_r / (least + omega_r)
        if progress <= self.anneal_from:
            return omega_b, omega_r
        gone = (progress - self.anneal_from) / (1 - self.anneal_from)
        return (1 - gone) * omega_b + gone * n_b / (n_b + n_r), (1 - gone) * omega_r + gone * n_r / (n_b + n_r)


def annotated_loss(logits, batch, objective, sums=None, progress=0.0):
    """The objective of a batch of AnnotationCollator as a scalar with gradient.

    sums: those of the whole step where the batch is a part of it; None where it is the step.
    progress: the share of the tune's steps that lie behind this one, for anneal_from.
    """
    losses, targets = target_losses(logits, batch["labels"])
    role, weight = batch["role"][:, 1:][targets], batch["weight"][:, 1:][targets]
    if sums is None:
        sums = objective.sums(losses, role, weight)
    return (losses * objective.coefficients(sums, role, weight, progress)).sum()


def _over_processes(sums):
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(sums)
    return sums


def _processes():
    return torch.distributed.get_world_size() if torch.distributed.is_available() and torch.distributed.is_initialized() else 1


class AnnotatedTrainerMixin:
    """Gives a `Trainer` of transformers, or one derived from it (TRL's SFTTrainer, axolotl's), the objectives above:

        class AnnotatedTrainer(AnnotatedTrainerMixin, transformers.Trainer): pass
        AnnotatedTrainer(model=..., args=..., train_dataset=rows, data_collator=AnnotationCollator(pad), objective=Objective("rft"))

    `remove_unused_columns` must be False. Right under gradient accumulation and with DDP, FSDP and DeepSpeed, which average the gradients of
    processes of which each has other samples: sums are taken over all micro-batches and processes, and the loss is multiplied by the number of
    processes. rft needs all losses of a step before its first gradient, so where a step has several micro-batches each first passes through the
    model without gradient (a third more work), with the random numbers (dropout) that the second pass will have. Tensor and sequence parallelism, and several
    samples packed in one row, are not for this.
    """

    def __init__(self, *args, objective=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.objective = objective or Objective()
        if getattr(self.args, "n_gpu", 1) > 1:
            raise ValueError("torch.nn.DataParallel is not supported: start one process a GPU (torchrun, accelerate launch)")
        if getattr(self.args, "remove_unused_columns", False):
            raise ValueError("remove_unused_columns must be False: the loss needs the columns role and weight")
        # The denominator of the whole step is in the coefficients: the trainer must not divide by its accumulation steps.
        self.model_accepts_loss_kwargs = True
        self._step_sums = None

    def get_batch_samples(self, epoch_iterator, num_batches, *args, **kwargs):
        """All micro-batches of the next step; its sums are known from here on."""
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, *args, **kwargs)
        self._step_sums = None
        if len(batches) > 1 or not self.objective.needs_losses:
            with torch.random.fork_rng():
                parts = [self._sums_of(batch) for batch in batches]
            if parts:
                self._step_sums = _over_processes(torch.stack(parts).sum(0))
        if batches and count is None:
            # Any number: what tells the trainer that the loss is not to be divided.
            count = torch.tensor(sum(int((batch["labels"][:, 1:] != IGNORED).sum()) for batch in batches))
        return batches, count

    def _sums_of(self, batch):
        batch = self._prepare_inputs(batch) if hasattr(self, "_prepare_inputs") else batch
        if self.objective.needs_losses:
            model = getattr(self, "model_wrapped", self.model)
            model.train()
            with torch.no_grad():
                losses, targets = target_losses(self._logits(model, batch), batch["labels"])
        else:
            targets = batch["labels"][:, 1:] != IGNORED
            losses = torch.zeros(int(targets.sum()), device=targets.device)
        return self.objective.sums(losses, batch["role"][:, 1:][targets], batch["weight"][:, 1:][targets])

    @staticmethod
    def _logits(model, batch, outputs=None):
        outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]) if outputs is None else outputs
        return outputs["logits"] if isinstance(outputs, dict) else outputs.logits

    def _progress(self):
        """The share of the tune's steps that are done."""
        state = getattr(self, "state", None)
        return min(1.0, state.global_step / state.max_steps) if state is not None and state.max_steps > 0 else 0.0

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        losses, targets = target_losses(self._logits(model, inputs, outputs), inputs["labels"])
        role, weight = inputs["role"][:, 1:][targets], inputs["weight"][:, 1:][targets]
        sums, scale, progress = self._step_sums, _processes(), self._progress()
        if not model.training:
            sums, scale, progress = self.objective.sums(losses, role, weight), 1, 0.0
        elif sums is None:
            sums = _over_processes(self.objective.sums(losses, role, weight))
        loss = (losses * self.objective.coefficients(sums, role, weight, progress)).sum() * scale
        return (loss, outputs) if return_outputs else loss
