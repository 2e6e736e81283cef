"""The mixin under gradient accumulation and on several processes: the gradient of a step must be that of one batch of all its samples.

The trainer here does what transformers' Trainer does around the two methods the mixin overrides: it fetches the micro-batches of a step at once,
divides the loss by their number where the model takes no loss arguments, and leaves the averaging over processes to DDP.
"""

import os
import pathlib
import sys
from types import SimpleNamespace

import torch
import torch.distributed
import torch.multiprocessing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from shad_rft import IGNORED, AnnotatedTrainerMixin, AnnotationCollator, Objective, annotated_loss  # noqa: E402

VOCABULARY = 13


class Model(torch.nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(5)
        self.embedding = torch.nn.Embedding(VOCABULARY, 8)
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(8, VOCABULARY)
        self.double()

    def forward(self, input_ids, attention_mask):
        hidden = self.embedding(input_ids).cumsum(1)
        return SimpleNamespace(logits=self.head(torch.tanh(self.dropout(hidden))))


class Trainer:
    """As transformers' of 2026, as far as a step's loss goes."""

    def __init__(self, model):
        self.model = self.model_wrapped = model
        self.args = SimpleNamespace(n_gpu=1, remove_unused_columns=False)
        self.model_accepts_loss_kwargs = False

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        return [batch for _, batch in zip(range(num_batches), epoch_iterator)], None

    def gradient_of_step(self, batches):
        iterator = iter(batches)
        step, count = self.get_batch_samples(iterator, len(batches), "cpu")
        total = 0.0
        for index, batch in enumerate(step):
            self.model_wrapped.train()
            sync = index == len(step) - 1 or not hasattr(self.model_wrapped, "no_sync")
            with (SimpleContext() if sync else self.model_wrapped.no_sync()):
                loss = self.compute_loss(self.model_wrapped, batch, num_items_in_batch=count)
                if not self.model_accepts_loss_kwargs or count is None:
                    loss = loss / len(step)
                loss.backward()
            total += loss.item()
        return total, torch.cat([parameter.grad.flatten() for parameter in self.model.parameters()])


class SimpleContext:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class AnnotatedTrainer(AnnotatedTrainerMixin, Trainer):
    pass


def rows(count):
    random = torch.Generator().manual_seed(11)
    result = []
    for i in range(count):
        length = 3 + int(torch.randint(0, 9, (1,), generator=random))
        ids = torch.randint(0, VOCABULARY, (length,), generator=random).tolist()
        first = 1 + i % 2
        targets = [place >= first for place in range(length)]
        result.append({
            "input_ids": ids,
            "labels": [token if target else IGNORED for token, target in zip(ids, targets)],
            # The last samples have one group only: a micro-batch, or a process, may lack the other.
            "role": [None if not target else int(i < count // 2 and place % 3 == 0) for place, target in enumerate(targets)],
            "weight": [0.0 if not target else 0.25 + place % 4 for place, target in enumerate(targets)],
        })
    return result


OBJECTIVES = [
    Objective("sft"), Objective("weighted"), Objective("mask"), Objective("rft"), Objective("rft", temperature=0.3, by_size=True, boilerplate_floor=0.9),
]


def expected(objective, samples):
    model = Model()
    batch = AnnotationCollator(0)(samples)
    loss = annotated_loss(model(batch["input_ids"], batch["attention_mask"]).logits, batch, objective)
    loss.backward()
    return loss.item(), torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def check(what, actual, wanted):
    # Losses are taken in float32, as in training: 2^-24 of losses of about 3, a few times.
    difference = abs(actual[0] - wanted[0]), (actual[1] - wanted[1]).abs().max().item()
    assert max(difference) < 1e-6, f"{what}: loss and gradient differ by {difference}"


def process(rank, size, port, samples):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=size)
    collate = AnnotationCollator(0)
    own = samples[rank::size]
    for objective in OBJECTIVES:
        for micro in (1, 3):
            model = Model()
            trainer = AnnotatedTrainer(model, objective=objective)
            trainer.model_wrapped = torch.nn.parallel.DistributedDataParallel(model)
            loss, gradient = trainer.gradient_of_step([collate(own[i::micro]) for i in range(micro)])
            mean = torch.tensor([loss], dtype=torch.float64)
            torch.distributed.all_reduce(mean)
            check(f"{objective.name}, {size} processes, {micro} micro-batches", (mean.item() / size, gradient), expected(objective, samples))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    samples = rows(12)
    collate = AnnotationCollator(0, multiple_of=8)
    for objective in OBJECTIVES:
        for micro in (1, 4, 12):
            trainer = AnnotatedTrainer(Model(), objective=objective)
            check(
                f"{objective.name}, {micro} micro-batches",
                trainer.gradient_of_step([collate(samples[i::micro]) for i in range(micro)]), expected(objective, samples))

    # With dropout, the pass that finds omega and the pass of the gradient draw the same numbers: the objective is that of omega's own losses.
    torch.manual_seed(3)
    trainer = AnnotatedTrainer(Model(dropout=0.5), objective=Objective("rft"))
    batches = [collate(samples[i::4]) for i in range(4)]
    loss, _ = trainer.gradient_of_step(batches)
    n_b, loss_b, n_r, loss_r = trainer._step_sums[:4].tolist()
    omega = trainer.objective.group_weights(loss_b / n_b, n_b, loss_r / n_r, n_r)
    assert abs(loss - (omega[0] * loss_b / n_b + omega[1] * loss_r / n_r)) < 1e-6

    # The trainer's own count of steps tells how far omega has gone over to that of sft: not yet at a half, all the way at the end.
    for done, alike in ((10, Objective("rft")), (20, Objective("sft"))):
        trainer = AnnotatedTrainer(Model(), objective=Objective("rft", anneal_from=0.5))
        trainer.state = SimpleNamespace(global_step=done, max_steps=20)
        check(f"{done} of 20 steps", trainer.gradient_of_step([collate(samples[i::4]) for i in range(4)]), expected(alike, samples))

    # Evaluation is by the batch, of this process.
    trainer.model.eval()
    batch = collate(samples)
    assert abs(trainer.compute_loss(trainer.model, batch).item() - expected(Objective("rft"), samples)[0]) < 1e-6

    for wrong, text in (({"name": "dpo"}, "expected sft"), ({"temperature": 0}, "above 0"), ({"boilerplate_floor": 2}, "from 0 to 1"), ({"anneal_from": -1}, "from 0 to 1")):
        try:
            Objective(**wrong)
            raise SystemExit(f"{wrong} was taken")
        except ValueError as error:
            assert text in str(error)
    try:
        without = [{name: row[name] for name in ("input_ids", "labels")} for row in samples]
        annotated_loss(torch.zeros(12, 16, VOCABULARY), collate(without), Objective("rft"))
        raise SystemExit("rows without roles were taken")
    except ValueError as error:
        assert "shad annotate" in str(error)

    if torch.distributed.is_available():
        torch.multiprocessing.spawn(process, (2, 29400 + os.getpid() % 1000, samples), nprocs=2)
    print("steps agree" + ("" if torch.distributed.is_available() else " (one process only: this torch has no distributed package)"))
