"""Shared options, one list of cases each, and the limits that their defaults come from."""

import os

import click
import pytest

from nwbkit.cli import limits, options
from nwbkit.cli.failures import explain

GIB = 1 << 30


def command(*decorators):
    """A command that returns what its options were parsed to."""

    def callback(**values):
        return values

    for decorator in reversed(decorators):
        callback = decorator(callback)
    return click.command("test")(callback)


def parse(cmd, *args):
    """The values of the parameters, or the message and status of the refusal."""
    try:
        with cmd.make_context("test", list(args)) as ctx:
            return cmd.invoke(ctx)
    except Exception as error:  # noqa: BLE001 - told as the command line would
        failure = explain(error, "test")
        return failure.message, failure.status


SOURCES = command(options.source_options)
CONVERT = command(
    options.inputs_argument,
    options.output_option(help="", required=True),
    options.existing_options,
    options.meta_option,
    options.set_meta_option,
    options.offset_option,
    options.unaligned_option,
    options.segments_option,
    options.stub_option,
    options.prove_option,
    options.resource_options,
)

GOOD = [
    (SOURCES, ["a", "b"], {"inputs": ("a", "b"), "sets": (), "only": (), "salvage": False}),
    (SOURCES, ["-"], {"inputs": ("-",)}),
    (SOURCES, ["missing/file"], {"inputs": ("missing/file",)}),
    (SOURCES, ["a", "-f", "spikeglx"], {"format": "spikeglx"}),
    (SOURCES, ["a", "--set", "imec0.gain=2"], {"sets": ("imec0.gain=2",)}),
    (SOURCES, ["a", "--set", "a.b=", "--set", "c.d=e=f.g"], {"sets": ("a.b=", "c.d=e=f.g")}),
    (SOURCES, ["a", "--only", "x/*", "--exclude", "y"], {"only": ("x/*",), "exclude": ("y",)}),
    (SOURCES, ["a", "--salvage", "--session", "s"], {"salvage": True, "session": "s"}),
    (CONVERT, ["a", "-o", "x.nwb"], {"output": "x.nwb", "segments": "gaps", "prove": "full"}),
    (CONVERT, ["a", "-o", "x.nwb"], {"stub": None, "unaligned": None, "overwrite": False}),
    (CONVERT, ["a", "-o", "x", "--overwrite"], {"overwrite": True, "skip_existing": False}),
    (CONVERT, ["a", "-o", "x", "-m", "a.yaml", "-m", "-"], {"metadata": ("a.yaml", "-")}),
    (CONVERT, ["a", "-o", "x", "--set-meta", "a.b=c=d"], {"set_meta": ("a.b=c=d",)}),
    (CONVERT, ["a", "-o", "x", "--offset", "p/imec=-1.5"], {"offsets": ("p/imec=-1.5",)}),
    (CONVERT, ["a", "-o", "x", "--stub", "2.5"], {"stub": 2.5}),
    (CONVERT, ["a", "-o", "x", "-j", "3"], {"jobs": 3}),
    (CONVERT, ["a", "-o", "x", "--max-memory", "256M"], {"max_memory": 256 << 20}),
    (CONVERT, ["a", "-o", "x", "--unaligned", "keep"], {"unaligned": "keep"}),
]


@pytest.mark.parametrize(("cmd", "args", "expected"), GOOD)
def test_accepted(cmd, args, expected):
    values = parse(cmd, *args)
    assert {key: values[key] for key in expected} == expected


BAD = [
    (SOURCES, [], "missing argument 'INPUTS'"),
    (SOURCES, ["-", "-"], "stdin ('-') can be read once only"),
    (SOURCES, ["a", "--set", "gain=2"], "'--set' takes SOURCE.option=value, not 'gain=2'"),
    (SOURCES, ["a", "--set", "a.b"], "'--set' takes SOURCE.option=value, not 'a.b'"),
    (CONVERT, ["a"], "missing option '-o' / '--output'"),
    (CONVERT, ["a", "-o", "-"], "'--output' takes a path, not '-'"),
    (CONVERT, ["-", "-o", "x", "-m", "-"], "stdin ('-') can be read once only"),
    (
        CONVERT,
        ["a", "-o", "x", "--overwrite", "--skip-existing"],
        "'--overwrite' and '--skip-existing' exclude each other",
    ),
    (CONVERT, ["a", "-o", "x", "--set-meta", "a"], "'--set-meta' takes key=value, not 'a'"),
    (CONVERT, ["a", "-o", "x", "--offset", "c="], "'--offset' takes CLOCK=seconds, not 'c='"),
    *(
        (
            CONVERT,
            ["a", "-o", "x", "--stub", text],
            f"invalid value for '--stub': '{text}' is no time above 0, in seconds",
        )
        for text in ("0", "-1", "nan", "inf", "x")
    ),
    *(
        (
            CONVERT,
            ["a", "-o", "x", "--max-memory", text],
            f"invalid value for '--max-memory': '{text}' is no size; say 256M or 1GiB",
        )
        for text in ("0", "-1", "M", "1iB", "1X", "")
    ),
    (
        CONVERT,
        ["a", "-o", "x", "-j", "0"],
        "invalid value for '-j' / '--jobs': 0 is not in the range x>=1",
    ),
    (
        CONVERT,
        ["a", "-o", "x", "--prove", "some"],
        "invalid value for '--prove': 'some' is not one of 'full', 'sample', 'none'",
    ),
]


@pytest.mark.parametrize(("cmd", "args", "message"), BAD)
def test_refused(cmd, args, message):
    assert parse(cmd, *args) == (message, 2)


SIZES = [
    ("1", 1),
    ("512B", 512),
    ("256M", 256 << 20),
    ("256MiB", 256 << 20),
    ("256m", 256 << 20),
    ("1GiB", GIB),
    ("1G", GIB),
    ("1GB", 10**9),
    ("1.5k", 1536),
    ("2T", 2 << 40),
    (" 3 MB ", 3_000_000),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text, size):
    assert limits.parse_size(text) == size


def test_jobs_come_from_the_affinity_and_slurm(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert limits.default_jobs({}) == 8
    assert limits.default_jobs({"SLURM_CPUS_PER_TASK": "3"}) == 3
    assert limits.default_jobs({"SLURM_CPUS_PER_TASK": "64"}) == 8
    assert limits.default_jobs({"SLURM_CPUS_PER_TASK": "x"}) == 8


SLURM = [
    ({}, None),
    ({"SLURM_MEM_PER_NODE": "1024"}, GIB),
    ({"SLURM_MEM_PER_NODE": "0"}, None),
    ({"SLURM_MEM_PER_CPU": "512", "SLURM_CPUS_ON_NODE": "4"}, 2 * GIB),
    ({"SLURM_MEM_PER_CPU": "512", "SLURM_CPUS_PER_TASK": "2"}, GIB),
    ({"SLURM_MEM_PER_CPU": "512"}, GIB // 2),
]


@pytest.mark.parametrize(("env", "limit"), SLURM)
def test_slurm_limit(env, limit):
    assert limits.slurm_limit(env) == limit


CGROUPS = [
    # membership, files below the root, limit
    ("0::/\n", {"memory.max": "max\n"}, None),
    ("0::/\n", {"memory.max": f"{GIB}\n"}, GIB),
    (
        "0::/job/step\n",
        {"job/memory.max": f"{GIB}\n", "job/step/memory.max": f"{2 * GIB}\n"},
        GIB,
    ),
    ("0::/job/step\n", {"job/step/memory.max": f"{GIB}\n", "job/memory.max": "max\n"}, GIB),
    ("0::/../../host\n", {"memory.max": f"{GIB}\n"}, GIB),
    (
        "9:cpu:/x\n4:memory:/slurm/job\n0::/\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/slurm/job/memory.limit_in_bytes": f"{GIB}\n",
        },
        GIB,
    ),
    ("", {}, None),
    ("nonsense\n", {}, None),
]


@pytest.mark.parametrize(("membership", "files", "limit"), CGROUPS)
def test_cgroup_limit(tmp_path, membership, files, limit):
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert limits.cgroup_limit(tmp_path / "cgroup", tmp_path / "root") == limit


def test_default_memory(monkeypatch):
    monkeypatch.setattr(limits, "cgroup_limit", lambda: None)
    assert limits.default_max_memory({}) == GIB
    assert limits.default_max_memory({"SLURM_MEM_PER_NODE": "1024"}) == GIB // 2
    monkeypatch.setattr(limits, "cgroup_limit", lambda: 512 << 20)
    assert limits.default_max_memory({"SLURM_MEM_PER_NODE": "1024"}) == 256 << 20


def test_common_options_are_added_once_and_below_groups():
    below = click.Command("below", params=[click.Option(["-v"], is_flag=True)])
    group = click.Group("group", commands={"below": below})
    options.with_common(options.with_common(group))
    for cmd in (group, below):
        names = [name for param in cmd.params for name in param.opts]
        assert names.count("--debug") == names.count("-q") == names.count("-v") == 1
