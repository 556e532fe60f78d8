# SPDX-License-Identifier: MIT
"""The stub says what the compiled core has, public names are documented, and what is documented is there."""
import ast
import inspect
from pathlib import Path

import sysvm
from sysvm import _sysvm

PACKAGE = Path(sysvm.__file__).parent


def stub() -> dict[str, set[str]]:
    """Names at the top, and of each class its members."""
    out: dict[str, set[str]] = {}
    for node in ast.parse((PACKAGE / "_sysvm.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef):
            out[node.name] = {
                one.target.id if isinstance(one, ast.AnnAssign) else one.name
                for one in node.body
                if isinstance(one, (ast.AnnAssign, ast.FunctionDef))
            }
        elif isinstance(node, ast.FunctionDef):
            out[node.name] = {arg.arg for arg in node.args.args}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            out[node.target.id] = set()
    return out


def test_the_stub_has_the_names_of_the_core() -> None:
    there = {name for name in dir(_sysvm) if not name.startswith("_")}
    assert set(stub()) == there
    for name, members in stub().items():
        one = getattr(_sysvm, name)
        if inspect.isclass(one) and not issubclass(one, Exception):
            special = {"__len__"} & set(vars(one))
            assert members == {m for m in vars(one) if not m.startswith("_")} | special, name


def test_the_stub_has_the_arguments_of_the_core() -> None:
    for name, arguments in stub().items():
        one = getattr(_sysvm, name)
        if inspect.isclass(one):
            continue
        signature = one.__doc__.splitlines()[0]  # "open_trace(path: str, calls: ... = None, ...) -> ..."
        assert all(
            f"{argument}:" in signature for argument in arguments
        ), f"{signature} lacks one of {arguments}"


def test_public_names_are_typed_and_documented() -> None:
    assert (PACKAGE / "py.typed").exists()
    for name in sysvm.__all__:
        one = getattr(sysvm, name)
        if not callable(one) or inspect.isclass(one) and issubclass(one, Exception):
            continue
        assert one.__doc__, f"{name} has no docstring"
        members = (
            {name: one}
            if inspect.isfunction(one)
            else {m: f for m, f in vars(one).items() if inspect.isfunction(f) and not m.startswith("_")}
        )
        for member, function in members.items():
            assert function.__doc__, f"{name}.{member} has no docstring"
            untyped = [
                p
                for p in inspect.signature(function).parameters.values()
                if p.name != "self" and p.annotation is inspect.Parameter.empty
            ]
            assert (
                not untyped and inspect.signature(function).return_annotation is not inspect.Signature.empty
            ), f"{name}.{member}"
