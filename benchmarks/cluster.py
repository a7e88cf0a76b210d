"""What a task costs on a Dask cluster of this computer: the scheduler's work and the client's.

The scans are small, so that the cost of the tasks shows; docs/developers/performance.md says what
follows from it for many workers. Scheduler, client and workers share this computer's processors, so
the ratio falls short where there are no more of them than workers.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks import process
from benchmarks.markdown import head
from benchmarks.throughput import made


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scans", type=int, default=400, help="(%(default)s)")
    parser.add_argument("--side", type=int, default=64, help="input pixels (%(default)s)")
    parser.add_argument("--workers", default="1,2", help="with commas (%(default)s)")
    parser.add_argument("--method", default="bicubic")


def run(args: argparse.Namespace) -> None:
    if importlib.util.find_spec("distributed") is None:
        print("cluster: distributed is not installed; pip install 'afmsr[dask]'")
        return
    from distributed import LocalCluster

    from afmsr_core.batch.cluster import SCANS_A_TASK
    from afmsr_core.batch.many import each
    from afmsr_core.batch.plan import Job
    from afmsr_core.batch.work import Work
    from afmsr_core.upscale import Settings

    tasks = -(-args.scans // SCANS_A_TASK)
    print(f"{args.scans} scans of {args.side} x {args.side}, {SCANS_A_TASK} a task\n")
    heading = "workers", "seconds", "scans a second", "ratio", "scheduler ms a task"
    heading += "client ms a task", "worker ms a scan"
    print(head(heading))
    first = None
    with tempfile.TemporaryDirectory(dir=process.disk()) as folder:
        scans = made(Path(folder) / "in", args.scans, args.side)
        done = partial(each, work=Work(), settings=Settings(method=args.method, threads=1))
        for workers in map(int, args.workers.split(",")):
            options = {"threads_per_worker": 1, "dashboard_address": None, "processes": True}
            with LocalCluster(workers, **options) as cluster, cluster.get_client() as client:
                out = Path(folder) / str(workers)
                jobs = [Job(path, out / path.name) for path in scans]
                address = cluster.scheduler_address
                client.wait_for_workers(workers)
                while not all(client.run(_is_warm).values()):  # else their imports are measured too
                    warm = [Job(path, out / f"warm {path.name}") for path in scans]
                    list(done(warm[: 2 * workers * SCANS_A_TASK], scheduler=address))
                used = sum(client.run(time.process_time).values())
                before = client.run_on_scheduler(time.thread_time)
                began, busy = time.perf_counter(), time.thread_time()
                records = list(done(jobs, scheduler=address))
                lasted, mine = time.perf_counter() - began, time.thread_time() - busy
                there = client.run_on_scheduler(time.thread_time) - before
                used = sum(client.run(time.process_time).values()) - used
            if any("error" in record for record in records):
                raise SystemExit(next(one["error"] for one in records if "error" in one))
            first = first or lasted
            print(
                f"| {workers} | {lasted:.1f} | {args.scans / lasted:.1f} | {first / lasted:.2f} "
                f"| {1e3 * there / tasks:.1f} | {1e3 * mine / tasks:.1f} "
                f"| {1e3 * used / args.scans:.1f} |",
                flush=True,
            )


def _is_warm() -> bool:
    """Whether this worker has its network already."""
    from afmsr_core.batch import cluster

    return bool(cluster._upscalers)
