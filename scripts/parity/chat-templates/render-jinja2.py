"""Renders jobs with Jinja2 set up as transformers sets it up (transformers.utils.chat_template_utils).

    python3 render-jinja2.py WORK
"""
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """The tag {% generation %}; here it only renders what it holds."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


work = pathlib.Path(sys.argv[1])
parsed = {}
now = None
environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
environment.filters["tojson"] = tojson
environment.filters["from_json"] = json.loads  # not in transformers; a few templates written for other engines ask for it
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda format: now.strftime(format)

with open(work / "jobs.jsonl", encoding="utf-8") as jobs, open(work / "jinja2.jsonl", "w", encoding="utf-8") as out:
    for line in jobs:
        job = json.loads(line)
        now = datetime.datetime.fromisoformat(job["now"])
        try:
            if job["template"] not in parsed:
                with open(job["template"], encoding="utf-8", newline="") as file:
                    parsed[job["template"]] = environment.from_string(file.read())
            result = {"text": parsed[job["template"]].render(**job["variables"])}
        except Exception as error:  # whatever a template does wrong
            result = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(result, ensure_ascii=False) + "\n")
