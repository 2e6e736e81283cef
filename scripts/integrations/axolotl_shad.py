"""A plugin of axolotl that trains on annotations of Shad.Onnx. It needs this folder on PYTHONPATH. In axolotl's YAML:

    plugins: [axolotl_shad.ShadPlugin]
    shad_annotations: annotations.parquet
    shad_objective: rft            # sft, weighted, mask or rft
    shad_temperature: 1.0          # tau, nats
    remove_unused_columns: false
    sample_packing: false
    datasets: [{path: annotations.parquet, ds_type: parquet}]   # axolotl asks for one; the plugin's rows are taken instead

Written for axolotl's plugin interface (axolotl.integrations.base) of 2026. The classes it derives from exist only where axolotl is installed.
"""

import math

from axolotl.common.datasets import TrainDatasetMeta
from axolotl.core.trainers.base import AxolotlTrainer
from axolotl.integrations.base import BasePlugin
from datasets import Dataset
from pydantic import BaseModel

from shad_rft import AnnotatedTrainerMixin, AnnotationCollator, Objective, read_annotations


class ShadArgs(BaseModel):
    """The keys of the plugin in axolotl's YAML."""

    shad_annotations: str
    shad_objective: str = "rft"
    shad_temperature: float = 1.0
    shad_by_size: bool = False
    shad_boilerplate_floor: float = 0.0
    shad_anneal_from: float = 0.5


class AnnotatedAxolotlTrainer(AnnotatedTrainerMixin, AxolotlTrainer):
    """axolotl's trainer with the objective set by the plugin."""


class TokenizerCollator(AnnotationCollator):
    """axolotl makes collators of a tokenizer and arguments of its own."""

    def __init__(self, tokenizer, pad_to_multiple_of=None, **_):
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        super().__init__(pad, multiple_of=pad_to_multiple_of or 1)


class ShadPlugin(BasePlugin):
    """Rows, collator and trainer for annotations."""

    def get_input_args(self):
        return "axolotl_shad.ShadArgs"

    def load_datasets(self, cfg, preprocess=False):
        rows = read_annotations(cfg.shad_annotations)
        per_step = cfg.micro_batch_size * cfg.gradient_accumulation_steps * max(1, int(cfg.world_size or 1))
        steps = cfg.max_steps or math.ceil(len(rows) / per_step) * int(cfg.num_epochs)
        return TrainDatasetMeta(train_dataset=Dataset.from_list(rows), eval_dataset=None, total_num_steps=steps)

    def get_trainer_cls(self, cfg):
        return AnnotatedAxolotlTrainer

    def get_collator_cls_and_kwargs(self, cfg, is_eval=False):
        return TokenizerCollator, {}

    def post_trainer_create(self, cfg, trainer):
        trainer.objective = Objective(
            cfg.shad_objective or "rft", cfg.shad_temperature or 1.0, bool(cfg.shad_by_size), cfg.shad_boilerplate_floor or 0.0,
            0.5 if cfg.shad_anneal_from is None else cfg.shad_anneal_from)
