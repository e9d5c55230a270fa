"""A flat average over gloo by PyTorch, as a contestant: gradients copied together, one all-reduce of
float32, scaled and copied back, as data-parallel training without buckets does it.

    gloo.py RANK RANKS RENDEZVOUS_FILE

Answers requests, lines of JSON, as turns/protocol.ts says.
"""

import json
import sys
import time
import traceback

import torch
import torch.distributed as dist


def values(rank, array, length):
    """Halves, whose means are exact on 2, 4 and 8 ranks; task.ts has the same."""
    return ((torch.arange(length) * 7 + array * 3 + rank * 13) % 101 - 50).float() / 2


class Player:
    def __init__(self, rank, ranks):
        self.rank = rank
        self.ranks = ranks
        self.gradients = []

    def prepare(self, task):
        self.gradients = [values(self.rank, a, n) for a, n in enumerate(task["lengths"])]
        self.average()
        error = 0.0
        for a, gradient in enumerate(self.gradients):
            mean = sum(values(r, a, len(gradient)) for r in range(self.ranks)) / self.ranks
            error = max(error, (gradient - mean).abs().max().item())
        return {"errors": {"gloo": error}}

    def average(self):
        flat = torch.cat(self.gradients)
        dist.all_reduce(flat)
        flat /= self.ranks
        at = 0
        for gradient in self.gradients:
            gradient.copy_(flat[at : at + len(gradient)])
            at += len(gradient)

    def turn(self, calls, samples):
        times = []
        # The contestant before has left its own data in the cache: the first does not count.
        for sample in range(-1, samples):
            dist.barrier()
            start = time.perf_counter()
            for _ in range(calls):
                self.average()
            if sample >= 0:
                times.append((time.perf_counter() - start) * 1e6 / calls)
        return {"times": times}

    def answer(self, request):
        if request["ask"] == "prepare":
            return self.prepare(request["task"])
        return self.turn(request["calls"], request["samples"])


def main():
    rank, ranks, rendezvous = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=ranks)
    player = Player(rank, ranks)
    for line in sys.stdin:
        try:
            reply = player.answer(json.loads(line))
        except Exception:
            reply = {"failure": traceback.format_exc()}
        print(json.dumps(reply), flush=True)
    dist.destroy_process_group()


main()
