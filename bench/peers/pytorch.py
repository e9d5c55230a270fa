"""PyTorch on CPUs as a contestant: one process, or one of several that synchronize over gloo.

    pytorch.py batch_norm THREADS
    pytorch.py gloo RANK RANKS RENDEZVOUS_FILE
    pytorch.py average RANK RANKS RENDEZVOUS_FILE

Answers requests, lines of JSON, as turns/protocol.ts says. A task names the folder where the
inputs are, raw float32, and where the results go, which the asking side checks against float64.
"""

import ctypes
import json
import math
import sys
import time
import traceback

import torch
import torch.distributed as dist
import torch.nn.functional as F


class SumOverRanks(torch.autograd.Function):
    """Sum of a small tensor over all ranks; so is its gradient. Gathers, as Detectron2 does."""

    @staticmethod
    def forward(_context, values):
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values)
        return torch.stack(parts).sum(0)

    @staticmethod
    def backward(_context, gradient):
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient


class Layer:
    """A batch normalization layer in training, with PyTorch's momentum and running statistics."""

    def __init__(self, task, rank, synchronized):
        self.synchronized = synchronized
        self.eps = task["eps"]
        self.channels = task["channels"]
        shape = task["shape"]

        def read(name, sizes, offset=0):
            path = f"{task['folder']}/{name}.bin"
            with open(path, "rb") as file:
                file.seek(4 * offset)
                values = bytearray(file.read(4 * math.prod(sizes)))
            return torch.frombuffer(values, dtype=torch.float32).reshape(sizes)

        def activation(name):
            values = read(name, shape, rank * task["stride"])
            # The numbers stay where they are: PyTorch's channels-last is an order of strides.
            last = task["channelsLast"] and len(shape) == 4
            return values.permute(0, 3, 1, 2) if last else values

        self.x = activation("x").requires_grad_()
        self.dy = activation("dy")
        self.weight = read("weight", [self.channels]).requires_grad_()
        self.bias = read("bias", [self.channels]).requires_grad_()
        self.running_mean = torch.zeros(self.channels)
        self.running_var = torch.ones(self.channels)
        self.momentum = 0.1

    def normalize(self):
        if self.synchronized:
            return self.normalize_over_ranks()
        return F.batch_norm(
            self.x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            True,
            self.momentum,
            self.eps,
        )

    def normalize_over_ranks(self):
        """The algorithm of Detectron2's NaiveSyncBatchNorm: mean and mean square, averaged."""
        x = self.x
        axes = [axis for axis in range(x.dim()) if axis != 1]
        per_channel = [1, -1] + [1] * (x.dim() - 2)
        local = torch.cat([x.mean(axes), (x * x).mean(axes)])
        mean, mean_square = (SumOverRanks.apply(local) / dist.get_world_size()).split(self.channels)
        variance = mean_square - mean * mean
        with torch.no_grad():
            self.running_mean += self.momentum * (mean - self.running_mean)
            self.running_var += self.momentum * (variance - self.running_var)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return x * scale.reshape(per_channel) + shift.reshape(per_channel)

    def forward(self):
        with torch.no_grad():
            return self.normalize()

    def training(self):
        for leaf in (self.x, self.weight, self.bias):
            leaf.grad = None
        y = self.normalize()
        y.backward(self.dy)
        return y


class Player:
    def __init__(self, rank, synchronized):
        self.rank = rank
        self.synchronized = synchronized
        self.layer = None

    def prepare(self, task):
        self.layer = layer = Layer(task, self.rank, self.synchronized)
        y = layer.training().detach()
        dx = layer.x.grad

        def write(name, tensor):
            if task["channelsLast"] and tensor.dim() == 4:
                tensor = tensor.permute(0, 2, 3, 1)
            tensor = tensor.contiguous()
            with open(f"{task['folder']}/{name}-{self.rank}.bin", "wb") as file:
                file.write(ctypes.string_at(tensor.data_ptr(), 4 * tensor.numel()))

        write("y", y)
        write("forward", layer.forward())
        write("dx", dx)
        write("dweight", layer.weight.grad)
        write("dbias", layer.bias.grad)
        # The asking side reads the files and knows better.
        return {"errors": {"forward": 0, "training": 0}}

    def turn(self, work, calls, samples):
        run = self.layer.forward if work == "forward" else self.layer.training
        return {"times": times_of(run, calls, samples, self.synchronized)}


class Averager:
    """A flat average of gradients: copied together, one all-reduce, scaled and copied back."""

    def __init__(self, rank, ranks):
        self.rank = rank
        self.ranks = ranks
        self.gradients = []

    @staticmethod
    def values(rank, array, length):
        """Halves, whose means are exact on 2, 4 and 8 ranks; gradients/task.ts has the same."""
        return ((torch.arange(length) * 7 + array * 3 + rank * 13) % 101 - 50).float() / 2

    def prepare(self, task):
        self.gradients = [self.values(self.rank, a, n) for a, n in enumerate(task["lengths"])]
        self.average()
        error = 0.0
        for a, gradient in enumerate(self.gradients):
            every = [self.values(rank, a, len(gradient)) for rank in range(self.ranks)]
            error = max(error, (gradient - sum(every) / self.ranks).abs().max().item())
        return {"errors": {"gloo": error}}

    def average(self):
        flat = torch.cat(self.gradients)
        dist.all_reduce(flat)
        flat /= self.ranks
        at = 0
        for gradient in self.gradients:
            gradient.copy_(flat[at : at + len(gradient)])
            at += len(gradient)

    def turn(self, _work, calls, samples):
        return {"times": times_of(self.average, calls, samples, True)}


def times_of(run, calls, samples, meets):
    times = []
    # The contestant before has left its own data in the cache: the first does not count.
    for sample in range(-1, samples):
        # Before the clock starts only: at its end gloo's barrier would cost more than a pass.
        if meets:
            dist.barrier()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        if sample >= 0:
            times.append((time.perf_counter() - start) * 1e6 / calls)
    return times


def answer(player, request):
    if request["ask"] == "prepare":
        return player.prepare(request["task"])
    return player.turn(request["work"], request["calls"], request["samples"])


def main():
    kind, *rest = sys.argv[1:]
    if kind != "batch_norm":
        rank, ranks, rendezvous = int(rest[0]), int(rest[1]), rest[2]
        torch.set_num_threads(1)
        dist.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=ranks)
        player = Player(rank, True) if kind == "gloo" else Averager(rank, ranks)
    else:
        torch.set_num_threads(int(rest[0]))
        player = Player(0, False)
    for line in sys.stdin:
        try:
            reply = answer(player, json.loads(line))
        except Exception:
            reply = {"failure": traceback.format_exc()}
        print(json.dumps(reply), flush=True)
    if kind != "batch_norm":
        dist.destroy_process_group()


main()
