#!/usr/bin/env python3
"""Checks that includes follow the layers, that files stay small and that no two headers define types of one name
(docs/architecture.md).

The table of layers is src/CMakeLists.txt itself: valuelens_layer(<folder> USES <folder>...). A wrong include is
one line `file:line: sentence`; any makes the exit status 1. Files of more than 400 lines get a warning.

  scripts/check_layers.py [ROOT]       checks the tree (default: the one that holds this script)
  scripts/check_layers.py --self-test  checks the checker, with wrong includes in a temporary tree
"""

import re
import sys
import tempfile
from pathlib import Path

MAX_LINES, WARN_LINES = 450, 400
# Stages share the folder that stands above them, never each other.
STAGES = {"generate", "judge", "vectors", "decompose", "neurons", "explain", "steer", "evaluate"}
ENGINE = "engine"
ENGINE_ONLY = re.compile(r"^(llama|ggml|gguf)[\w.-]*\.h(pp)?$")
# Headers of llama.cpp's `common`: chat templates and what they need.
ENGINE_COMMON = {"chat.h", "common.h", "sampling.h", "log.h", "arg.h", "peg-parser.h", "json-schema-to-grammar.h"}
BASE_ALLOWED = re.compile(r"^(fmt|openssl)/")
POSIX = re.compile(r"^(sys/\w+|arpa/inet|fcntl|unistd|spawn|poll|signal|fnmatch|pthread|dirent)\.h$")
STANDARD = re.compile(r"^[a-z_0-9]+$")
FOREIGN_IN_PUBLIC = re.compile(r"\b(nlohmann|Eigen|toml)\b")
# A type at namespace level: X::Impl and what a type or function holds are not.
TYPE = re.compile(r"^(?:struct|class|enum class)\s+(\w+)(?:\s+final)?\s*(?::(?!:)[^;]*)?\{")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_layers(cmake_file):
    """{folder: set of folders that it may use} from the valuelens_layer() calls."""
    text = re.sub(r"#[^\n]*", "", cmake_file.read_text())
    variables = {name: value for name, value in re.findall(r"set\(\s*(\w+)\s+([^)]*)\)", text)}
    text = re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match.group(1), ""), text)
    layers = {}
    for body in re.findall(r"valuelens_layer\(([^)]*)\)", text):
        words = body.split()
        uses = set()
        if "USES" in words:
            for word in words[words.index("USES") + 1:]:
                if word.isupper():
                    break
                uses.add(word)
        layers[words[0]] = uses
    return layers


def check_table(layers, where):
    """The table itself: only folders named earlier, no stage using a stage."""
    problems, seen = [], set()
    for folder, uses in layers.items():
        for used in sorted(uses - seen):
            problems.append(f"{where}: {folder} uses {used}, which does not stand above it")
        if folder in STAGES:
            for used in sorted(uses & STAGES):
                problems.append(f"{where}: stage {folder} uses stage {used}; stages share only what stands above them")
        seen.add(folder)
    return problems


def allowed(relative, quote, header, layers):
    """The sentence that says why this include is wrong, or None."""
    top = relative.parts[0]
    folder = relative.parts[1] if len(relative.parts) > 2 else None
    name = header.rsplit("/", 1)[-1]
    first = header.split("/", 1)[0] if "/" in header else None

    in_engine = folder == ENGINE and top in ("src", "tests")
    if ENGINE_ONLY.match(name) and first in (None, "ggml", "llama") and not in_engine:
        return f"<{header}> belongs to llama.cpp, which only src/engine may include"
    if first is None and name in ENGINE_COMMON and not in_engine:
        return f'"{header}" is a header of llama.cpp\'s common, which only src/engine may include'
    if first is None and quote == '"' and not in_engine:
        return f'"{header}": write our own headers as "folder/file.h"'

    if top == "include":
        if first != "valuelens" and not STANDARD.match(header):
            return f"<{header}>: a public header includes only the standard library and valuelens/*.h"
        return None
    if top == "src":
        if first in layers and quote == '"' and first != folder and first not in layers.get(folder, set()):
            if folder in STAGES and first in STAGES:
                return f'stage {folder} includes "{header}" of stage {first}; stages share only what stands above them'
            return f'{folder} includes "{header}", but {first} is not among the layers that it may use'
        if first == "cli" or first == "tests":
            return f'src includes "{header}"; the library knows nothing of {first}/'
        if folder == "base" and first not in ("base", "valuelens"):
            if not (STANDARD.match(header) or BASE_ALLOWED.match(header) or POSIX.match(header)):
                return f"<{header}>: base includes only the standard library, POSIX, fmt and OpenSSL"
    if top == "cli" and first == "tests":
        return f'cli includes "{header}" of the tests'
    return None


def check_file(root, path, layers):
    """(problems, warnings) of one source file."""
    relative = path.relative_to(root)
    lines = path.read_text(encoding="utf-8").splitlines()
    problems, warnings = [], []
    if relative.parts[0] != "tests":
        if len(lines) > MAX_LINES:
            problems.append(f"{relative}:{MAX_LINES + 1}: {len(lines)} lines, at most {MAX_LINES}: split it by what its parts are about")
        elif len(lines) > WARN_LINES:
            warnings.append(f"{relative}:{WARN_LINES + 1}: {len(lines)} lines, soon too long (at most {MAX_LINES})")
    for number, line in enumerate(lines, 1):
        include = INCLUDE.match(line)
        if include:
            sentence = allowed(relative, include.group(1), include.group(2), layers)
            if sentence:
                problems.append(f"{relative}:{number}: {sentence}")
        if relative.parts[0] == "include":
            code = line.split("//", 1)[0]
            foreign = FOREIGN_IN_PUBLIC.search(code)
            if foreign and not include:
                problems.append(f"{relative}:{number}: {foreign.group(1)} in a public header; keep third-party types behind it")
    return problems, warnings


def check_type_names(root):
    """Types of one name in two headers: all is one namespace, so the linker keeps one's functions for both."""
    problems, first = [], {}
    for top in ("include", "src", "cli"):
        for path in sorted((root / top).rglob("*.h")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = TYPE.match(line)
                if found:
                    where = f"{path.relative_to(root)}:{number}"
                    other = first.setdefault(found.group(1), where)
                    if other != where:
                        problems.append(f"{where}: {found.group(1)} is also the type at {other}; give one of them another name")
    return problems


def check_tree(root):
    cmake_file = root / "src" / "CMakeLists.txt"
    layers = read_layers(cmake_file)
    problems = check_table(layers, cmake_file.relative_to(root))
    warnings, count = [], 0
    for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
        if folder.name not in layers and any(folder.glob("*.cpp")):
            problems.append(f"src/{folder.name}: has no valuelens_layer() in src/CMakeLists.txt")
    for top in ("include", "src", "cli", "tests"):
        for path in sorted(p for p in (root / top).rglob("*") if p.suffix in (".h", ".cpp")):
            found, noted = check_file(root, path, layers)
            problems += found
            warnings += noted
            count += 1
    problems += check_type_names(root)
    return problems, warnings, count


SELF_TEST_TABLE = """
valuelens_layer(base LIBRARIES fmt::fmt)
valuelens_layer(math USES base LIBRARIES Eigen3::Eigen)
valuelens_layer(engine USES base PRIVATE_LIBRARIES valuelens_llama)
set(shared_layers base math engine)
valuelens_layer(generate USES ${shared_layers})
valuelens_layer(judge USES ${shared_layers} PRIVATE_LIBRARIES valuelens_embedded_data)
"""

# file, its text, and what the checker must say of it (None: nothing)
SELF_TEST_FILES = [
    ("src/base/good.h", "#include <vector>\n#include <sys/stat.h>\n#include <fmt/format.h>\n#include \"valuelens/error.h\"\n", None),
    ("src/base/json.cpp", "#include <nlohmann/json.hpp>\n", "src/base/json.cpp:1: <nlohmann/json.hpp>: base includes only"),
    ("src/base/up.h", "\n#include \"math/svd.h\"\n", "src/base/up.h:2: base includes \"math/svd.h\", but math is not among"),
    ("src/engine/good.cpp", "#include <llama.h>\n#include \"chat.h\"\n#include \"base/good.h\"\n", None),
    ("src/engine/math.cpp", "#include \"math/svd.h\"\n", "src/engine/math.cpp:1: engine includes \"math/svd.h\", but math is not"),
    ("src/generate/good.cpp", "#include <Eigen/Core>\n#include \"engine/x.h\"\n#include \"generate/y.h\"\n", None),
    ("src/generate/llama.cpp", "#include \"llama.h\"\n", "src/generate/llama.cpp:1: <llama.h> belongs to llama.cpp"),
    ("src/generate/gguf.cpp", "#  include <gguf.h>\n", "src/generate/gguf.cpp:1: <gguf.h> belongs to llama.cpp"),
    ("src/generate/common.cpp", "#include \"common.h\"\n", "src/generate/common.cpp:1: \"common.h\" is a header of llama.cpp's common"),
    ("src/judge/stage.cpp", "#include \"generate/y.h\"\n", "src/judge/stage.cpp:1: stage judge includes \"generate/y.h\" of stage"),
    ("src/judge/bare.cpp", "#include \"prompt.h\"\n", "src/judge/bare.cpp:1: \"prompt.h\": write our own headers"),
    ("src/generate/answer.h", "struct Answer {};\nstruct Part::Impl {};\nclass Other;\n", None),
    ("src/judge/answer.h", "class Other {};\nclass Answer final : public Other {};\nstruct Part::Impl {};\n",
     "src/judge/answer.h:2: Answer is also the type at src/generate/answer.h:1"),
    ("src/judge/long.cpp", "int x;\n" * 451, "src/judge/long.cpp:451: 451 lines, at most 450"),
    ("src/stray/stray.cpp", "int y;\n", "src/stray: has no valuelens_layer()"),
    ("include/valuelens/good.h", "#include <string>\n#include \"valuelens/error.h\"\n// not nlohmann, not Eigen\n", None),
    ("include/valuelens/inner.h", "#include \"base/fail.h\"\n", "include/valuelens/inner.h:1: <base/fail.h>: a public header"),
    ("include/valuelens/json.h", "#include <nlohmann/json.hpp>\n", "include/valuelens/json.h:1: <nlohmann/json.hpp>: a public header"),
    ("include/valuelens/eigen.h", "namespace Eigen { class V; }\n", "include/valuelens/eigen.h:1: Eigen in a public header"),
    ("cli/ggml.cpp", "#include <ggml-backend.h>\n", "cli/ggml.cpp:1: <ggml-backend.h> belongs to llama.cpp"),
    ("tests/engine/good_test.cpp", "#include <llama.h>\n", None),
    ("tests/judge/bad_test.cpp", "#include <ggml.h>\n", "tests/judge/bad_test.cpp:1: <ggml.h> belongs to llama.cpp"),
]


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text, _ in SELF_TEST_FILES + [("src/CMakeLists.txt", SELF_TEST_TABLE, None)]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        problems, _, _ = check_tree(root)
        expected = [sentence for _, _, sentence in SELF_TEST_FILES if sentence]
        for sentence in expected:
            if not any(problem.startswith(sentence) for problem in problems):
                failures.append(f"not reported: {sentence}")
        for problem in problems:
            if not any(problem.startswith(sentence) for sentence in expected):
                failures.append(f"wrongly reported: {problem}")

        (root / "src/CMakeLists.txt").write_text(
            "valuelens_layer(base USES math)\nvaluelens_layer(math)\nvaluelens_layer(generate)\nvaluelens_layer(judge USES generate)\n")
        table = check_tree(root)[0][:2]
        if not (len(table) == 2 and "does not stand above" in table[0] and "stage judge uses stage generate" in table[1]):
            failures.append(f"a wrong table was not reported: {table}")
    for failure in failures:
        print(failure)
    print(f"check_layers self-test: {len(SELF_TEST_FILES)} files, {len(failures)} failures")
    return 1 if failures else 0


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems, warnings, count = check_tree(root)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"layers: {count} files checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
