"""The API's documentation as pages that need neither scripts nor anybody else's server."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ringback_schemas.problems import Problems, ProblemType

_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;padding:.75rem;border:1px solid #8884}
h2{border-bottom:1px solid #8884;margin-top:2.5rem}summary{cursor:pointer;padding:.3rem 0}details{margin:.2rem 0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0}
details details{margin-left:1rem}
"""


def problem_page(problem: ProblemType) -> bytes:
    """What one problem type means."""
    return _page(
        problem.title,
        f"<h1>{escape(problem.title)}</h1><p><code>{problem.status}</code> <code>{problem.code}</code></p>"
        f"<p>{escape(problem.meaning)}</p><p><a href='../docs'>The API</a></p>",
    )


def docs_page(document: Mapping[str, Any]) -> bytes:
    """The OpenAPI document, for people."""
    info = document["info"]
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    webhooks = [(name, methods["post"]) for name, methods in document["webhooks"].items()]
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>",
        "<p>As data: <a href='openapi.json'>openapi.json</a></p>",
        *_sections(operations),
        *_sections(webhooks),
        "<h2>Schemas</h2>",
        *[_schema(name, schema) for name, schema in document["components"]["schemas"].items()],
        "<h2>Problems</h2>",
        _problems(),
    ]
    return _page(info["title"], "\n".join(parts))


def _sections(operations: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[str]:
    tag = None
    for title, operation in sorted(operations, key=lambda pair: pair[1]["tags"][0]):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            yield f"<h2>{escape(tag)}</h2>"
        yield _operation(title, operation)


def _operation(title: str, operation: Mapping[str, Any]) -> str:
    parameters = [
        (f"{parameter['name']} ({parameter['in']})", parameter.get("description", ""))
        for parameter in operation["parameters"]
    ]
    answers = [(status, answer["description"]) for status, answer in operation["responses"].items()]
    body = operation.get("requestBody")
    parts = [
        f"<details id='{escape(operation['operationId'])}'><summary><code>{escape(title)}</code> ",
        f"{escape(operation['summary'])}</summary><p>{escape(operation['description'])}</p>",
        _table("Parameters", parameters),
        f"<p>Body: {_model_links(body)}</p>" if body else "",
        _table("Answers", answers),
        "</details>",
    ]
    return "".join(parts)


def _model_links(body: Mapping[str, Any]) -> str:
    names = [content["schema"]["$ref"].rpartition("/")[2] for content in body["content"].values()]
    return ", ".join(f"<a href='#schema-{escape(name)}'>{escape(name)}</a>" for name in names)


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return (
        f"<details id='schema-{escape(name)}'><summary><code>{escape(name)}</code> "
        f"{escape(schema.get('description', ''))}</summary><pre>{text}</pre></details>"
    )


def _problems() -> str:
    rows = [
        f"<tr><td>{kind.value.status}</td><td><a href='problems/{kind.code}'><code>{kind.code}</code></a></td>"
        f"<td>{escape(kind.value.title)}</td></tr>"
        for kind in Problems
    ]
    return f"<table>{''.join(rows)}</table>"


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows]
    return f"<p>{title}</p><table>{''.join(lines)}</table>" if lines else ""


def _page(title: str, body: str) -> bytes:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)} · Ringback</title><style>{_STYLE}</style><body>{body}</body></html>"
    ).encode()
