"""Losses and gradients of given logits, for comparison with those of `shad tune`:

    loss_of_logits.py ANNOTATIONS CASES.json OUT.json

CASES.json: {"pad": id, "logits": [sample][position][vocabulary], "objectives": [arguments of Objective], "progress": share}.
OUT.json: for each objective {"loss", "gradient": [sample][position][vocabulary]}.
"""

import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from shad_rft import AnnotationCollator, Objective, annotated_loss, read_annotations  # noqa: E402

annotations, cases, out = sys.argv[1:]
rows = read_annotations(annotations)
cases = json.loads(pathlib.Path(cases).read_text())
batch = AnnotationCollator(cases["pad"])(rows)
lengths = [len(row["input_ids"]) for row in rows]
results = []
for arguments in cases["objectives"]:
    # What stands in the padding must not matter.
    padded = torch.full((len(rows), max(lengths), len(cases["logits"][0][0])), 7.0)
    for sample, logits in enumerate(cases["logits"]):
        padded[sample, : lengths[sample]] = torch.tensor(logits)
    padded.requires_grad_()
    loss = annotated_loss(padded, batch, Objective(**arguments), progress=cases["progress"])
    loss.backward()
    results.append({"loss": loss.item(), "gradient": [padded.grad[i, :length].tolist() for i, length in enumerate(lengths)]})
    assert all(not padded.grad[i, length:].any() for i, length in enumerate(lengths))
pathlib.Path(out).write_text(json.dumps(results))
