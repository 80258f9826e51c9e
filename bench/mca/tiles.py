"""What llvm-mca says of the register tiles on Arm cores: estimates from scheduling models. Nothing is
run, and no model knows caches or memory.

Compiles kernels/dispatch/kernels_isa.cpp as the programs do, cuts the loop over k out of the highest
fp32 and the highest int8 tile of each instruction set, and prints a table in Markdown:

  pass     one turn of the loop, once it runs evenly
  floor    cycles that the busiest port needs for a pass
  share    floor / cycles
  spills   accesses to the stack in the loop: the models take them for free

Needs a cross compiler and llvm-mca (Debian: g++-aarch64-linux-gnu, llvm-19; the newest llvm-mca-<n>
is taken; LLVM 14 has fewer cores). With --check: fails if the tiles miss, on Cortex-A57, what
bench/README.md says of them.
"""
import argparse
import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# As in kernels/dispatch/CMakeLists.txt.
FLAGS = {
    "neon64": [],
    "neon64_dot": ["-march=armv8.2-a+dotprod"],
    "neon64_i8mm": ["-march=armv8.2-a+dotprod+i8mm"],
}
# Each core, the int8 tile for it, and the first LLVM with a model of its own. Up to LLVM 19,
# Cortex-A72 is given the model of the A57; Cortex-A76 and A78 too: Neoverse N1 stands for them.
CORES = [
    ("cortex-a53", "neon64", 14),
    ("cortex-a55", "neon64_dot", 14),
    ("cortex-a57", "neon64", 14),
    ("neoverse-n1", "neon64_dot", 16),
    ("neoverse-n2", "neon64_i8mm", 16),
]
# Multiply-adds of an instruction; the others only prepare them.
MULTIPLY_ADDS = {
    "fmla": 4, "smull": 8, "smull2": 8, "smlal": 8, "smlal2": 8, "sdot": 16, "smmla": 32,
}
PASSES = 400


def run(command, text=None):
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


@functools.lru_cache(maxsize=None)
def assembly(compiler, optimise, isa):
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "kernels.s"
        run([*compiler.split(), "-std=c++17", optimise, *FLAGS[isa], f"-DKINGLET_ISA={isa}",
             "-fno-exceptions", "-fno-rtti", "-I", ROOT / "kernels", "-S",
             ROOT / "kernels/dispatch/kernels_isa.cpp", "-o", to])
        return to.read_text()


def multiply_adds(loop):
    return sum(MULTIPLY_ADDS.get(line.split()[0], 0) for line in loop)


def inner_loops(lines):
    """Instructions from a label to a branch back to it, with no other branch between them."""
    at, found = {}, []
    for i, line in enumerate(lines):
        label = re.match(r"(\.L\w+):", line)
        if label:
            at[label[1]] = i
        branch = re.match(r"\s+(?:b\.?[a-z]{2}|cbn?z|tbn?z)\s.*?(\.L\w+)", line)
        if branch and branch[1] in at:
            body = [x.split("//")[0].strip() for x in lines[at[branch[1]] : i + 1]]
            body = [x for x in body if re.match(r"[a-z]", x)]
            if not any(re.search(r"\s\.L\w+$", x) for x in body[:-1]):
                found.append(body)
    return found


def highest_tile(text, kind, isa):
    """Rows and loop of the tile_<kind><isa, rows, …> with most rows."""
    start = rf"_ZN7kinglet7kernels6detail\d+tile_{kind}INS_3isa\d+{isa}ELi(\d+)E"
    rows, tile = max(((int(re.match(start, f)[1]), f)
                      for f in re.findall(r"^_Z.*?^\s+\.size\s", text, re.M | re.S)
                      if re.match(start, f)), default=(0, ""))
    loop = max(inner_loops(tile.splitlines()), key=multiply_adds, default=[])
    if not multiply_adds(loop):
        sys.exit(f"tile_{kind}<{isa}>: no loop with multiply-adds found")
    return rows, loop


def estimate(mca, core, isa, loop):
    """Cycles of a pass, and those of the busiest port."""
    attributes = {"neon64_dot": ["-mattr=+dotprod"], "neon64_i8mm": ["-mattr=+i8mm"]}.get(isa, [])
    answer = run([mca, "-mtriple=aarch64-linux-gnu", f"-mcpu={core}", *attributes,
                  f"-iterations={PASSES}", "--json"], "\n".join(loop))
    region = json.loads(answer)["CodeRegions"][0]
    ports = [x["ResourceUsage"] for x in region["ResourcePressureView"]["ResourcePressureInfo"]
             if x["InstructionIndex"] == len(region["Instructions"])]
    return region["SummaryView"]["TotalCycles"] / PASSES, max(ports)


def newest_mca():
    names = [p.name[9:] for folder in ("/usr/bin", "/usr/local/bin")
             for p in Path(folder).glob("llvm-mca-*")]
    versions = [int(name) for name in names if name.isdigit()]
    return f"llvm-mca-{max(versions)}" if versions else "llvm-mca"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", default="aarch64-linux-gnu-g++",
                        help="with its options, such as 'clang++ --target=aarch64-linux-gnu'")
    parser.add_argument("--optimise", default="-O3", help="--optimise=-O2")
    parser.add_argument("--mca", default=newest_mca(), help="the program llvm-mca")
    parser.add_argument("--loops", action="store_true", help="print the loops too")
    parser.add_argument("--check", action="store_true")
    o = parser.parse_args()
    for program in o.compiler.split()[0], o.mca:
        if not shutil.which(program):
            print(f"skipped: estimates for Arm cores: {program} is not installed")
            return 77
    llvm = re.search(r"LLVM version (\d+)[.\d]*", run([o.mca, "--version"]))
    print(f"{run([*o.compiler.split(), '--version']).splitlines()[0]}, {o.optimise}; "
          f"llvm-mca, {llvm[0]}\n")

    print("| core | tile | rows | multiply-adds a pass | cycles a pass | floor | share "
          "| multiply-adds a cycle | int8 : fp32 | spills |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    missed = []
    for core, best_s8, first in CORES:
        if o.check and core != "cortex-a57":
            continue
        if int(llvm[1]) < first:
            print(f"skipped: {core}: LLVM {llvm[1]} has no model of it", file=sys.stderr)
            continue
        rates = {}
        for kind, isa in ("f32", "neon64"), ("s8", best_s8):
            rows, loop = highest_tile(assembly(o.compiler, o.optimise, isa), kind, isa)
            count = multiply_adds(loop)
            cycles, floor = estimate(o.mca, core, isa, loop)
            rates[kind] = count / cycles
            ratio = f"{rates['s8'] / rates['f32']:.2f}" if kind == "s8" else ""
            spills = sum("[sp" in x for x in loop)
            print(f"| {core} | {kind} {isa} | {rows} | {count} | {cycles:.1f} | {floor:.1f} "
                  f"| {100 * floor / cycles:.0f} % | {rates[kind]:.2f} | {ratio} | {spills} |")
            if o.loops:
                print("", *loop, "", sep="\n    ")
            if floor < 0.85 * cycles:
                missed.append(f"{core}: {kind} takes more than 1 / 0.85 of the floor")
            if spills:
                missed.append(f"{core}: {kind} keeps sums on the stack")
        if rates["s8"] < 1.6 * rates["f32"]:
            missed.append(f"{core}: int8 has less than 1.6 times the multiply-adds of fp32")
    if o.check and missed:
        print(*missed, sep="\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
