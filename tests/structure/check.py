#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py SOURCE BUILD NM [LISTS]: holds the directions in directions.txt, by include and by call, and finds
circles of files.

Calls are what the object files say: a strong symbol that one needs and another defines, looked for among the
objects of the same target first. Inline functions and templates are seen by their includes.
"""
import collections
import os
import re
import subprocess
import sys

SOURCE, BUILD, NM = sys.argv[1:4]
LISTS = sys.argv[4] if len(sys.argv) > 4 else os.path.join(os.path.dirname(__file__), "directions.txt")
CODE = (".c", ".cc", ".S", ".h", ".hpp")


def read_lists():
    """directions: {root: {folder: folders that it may use}}; circles: roots; skipped: targets."""
    directions, circles, skipped = {}, [], []
    for line in open(LISTS, encoding="utf-8"):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "circles":
            circles += words[1:]
        elif words[0] == "skip":
            skipped += words[1:]
        else:
            below = directions.setdefault(words[0].rstrip(":"), {})
            chain = [step.split(",") for step in "".join(words[1:]).split(">")]
            for i, step in enumerate(chain):
                for folder in step:
                    below.setdefault(folder, {folder}).update(*chain[i + 1 :])
    for below in directions.values():  # what a folder may use, and what those may
        for _ in below:
            for allowed in below.values():
                allowed.update(*(below[folder] for folder in list(allowed)))
    return directions, circles, skipped


def files_of(roots):
    return {os.path.relpath(os.path.join(folder, name), SOURCE) for root in roots
            for folder, _, names in os.walk(os.path.join(SOURCE, root))
            for name in names if name.endswith(CODE)}


def includes(path):
    text = open(os.path.join(SOURCE, path), encoding="utf-8").read()
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
        for base in ("", os.path.dirname(path), "kmod"):
            found = os.path.normpath(os.path.join(base, name))
            if os.path.isfile(os.path.join(SOURCE, found)):
                yield found
                break


def objects_of(roots):
    """(target, source, object) of what is built from these folders."""
    for root in roots:
        for folder, _, names in os.walk(os.path.join(BUILD, root)):
            match = re.search(r"(.*)/CMakeFiles/([^/]+)\.dir(/.*)?$", folder)
            for name in names if match else ():
                inner = os.path.join((match.group(3) or "/")[1:].replace("__", ".."), name[:-2])
                source = os.path.normpath(os.path.join(os.path.relpath(match.group(1), BUILD), inner))
                if name.endswith(".o") and os.path.isfile(os.path.join(SOURCE, source)):
                    yield match.group(2), source, os.path.join(folder, name)


def symbols(object_file):
    defined, needed = set(), set()
    listed = subprocess.run([NM, object_file], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        kind, name = line.split()[-2:]
        if name == "__gnu_lto_slim":
            sys.exit(f"{object_file}: {NM} cannot read objects for link-time optimisation; gcc-nm can")
        if kind == "U":
            needed.add(name)
        elif kind in "TDBR":
            defined.add(name)
    return defined, needed


def calls(roots, skipped):
    """[(user, symbol, file that defines it)], and the sources that have an object."""
    objects = list(objects_of(roots))
    read = [(target, source, *symbols(path)) for target, source, path in objects
            if not {target, source} & skipped]
    where = collections.defaultdict(set)
    for target, source, defined, _ in read:
        for name in defined:
            where[name].add((target, source))
    found = set()
    for target, source, _, needed in read:
        for name in needed:
            here = {definer for other, definer in where[name] if other == target}
            anywhere = {definer for _, definer in where[name]}
            found.update((source, name, definer) for definer in here or anywhere)
    return found, {source for _, source, _ in objects}


def circles_in(uses):
    """Sets of files that use each other, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(file):
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in sorted(uses.get(file, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[file] = min(low[file], low[other])
        if low[file] == index[file]:
            circle = stack[stack.index(file) :]
            del stack[stack.index(file) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for file in sorted(uses):
        if file not in index:
            visit(file)
    return found


def main():
    directions, circles, skipped = read_lists()
    roots = sorted({*directions.get(".", ()), *directions, *circles} - {"."})
    files = files_of(roots)
    # (user, used, why), each pair once for each reason
    edges = [(path, used, "includes") for path in sorted(files) for used in includes(path)]
    called, built = calls(roots, set(skipped))
    edges += [(user, used, f"uses {name} of") for user, name, used in sorted(called)]
    complaints = [f"{path}: no object file; build all first" for path in sorted(files - built)
                  if path.endswith((".c", ".cc")) and not path.endswith(".bpf.c") and "/examples/" not in path]

    def folder_of(root, path):
        inner = os.path.relpath(os.path.dirname(path), root)
        while inner not in directions[root] and "/" in inner:
            inner = os.path.dirname(inner)
        return inner

    for root, below in directions.items():
        inside = lambda path: path in files and (root == "." or path.startswith(root + "/"))
        complaints += [f"{path}: its folder is not in directions.txt" for path in sorted(files)
                       if inside(path) and folder_of(root, path) not in below]
        complaints += [f"{user} {why} {used}: upwards" for user, used, why in edges
                       if inside(user) and inside(used)
                       and folder_of(root, used) not in below.get(folder_of(root, user), ())]
    for root in circles:
        inside = [(user, used, why) for user, used, why in edges if user != used
                  and user.startswith(root + "/") and used.startswith(root + "/")]
        uses = collections.defaultdict(set)
        for user, used, _ in inside:
            uses[user].add(used)
        for circle in circles_in(uses):
            complaints.append("a circle of files: " + ", ".join(circle))
            complaints += [f"    {user} {why} {used}" for user, used, why in inside
                           if {user, used} <= set(circle)]
    print("\n".join(complaints) or f"{len(files)} files, {len(edges)} uses: all in the allowed directions")
    return 1 if complaints else 0


sys.exit(main())
