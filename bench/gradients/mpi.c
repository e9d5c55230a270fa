/*
 * A flat average over MPI from C: gradients copied together, one MPI_Allreduce of float32, scaled
 * and copied back. A library for mpi-rank.ts, whose process has started MPI.
 */

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

static float **arrays, *flat;
static int *lengths, arrays_count, rank, ranks;
static long total;

static float value_of(long rank, long array, long i)
{
    return ((i * 7 + array * 3 + rank * 13) % 101 - 50) / 2.0f;
}

void gradients_prepare(const int *given, int count)
{
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    arrays_count = count;
    lengths = malloc(count * sizeof *lengths);
    arrays = malloc(count * sizeof *arrays);
    total = 0;
    for (int a = 0; a < count; a++) {
        lengths[a] = given[a];
        arrays[a] = malloc(given[a] * sizeof(float));
        for (long i = 0; i < given[a]; i++)
            arrays[a][i] = value_of(rank, a, i);
        total += given[a];
    }
    flat = malloc(total * sizeof *flat);
    memset(flat, 0, total * sizeof *flat);
}

void gradients_average(void)
{
    float *at = flat, factor = 1.0f / ranks;
    for (int a = 0; a < arrays_count; at += lengths[a++])
        memcpy(at, arrays[a], lengths[a] * sizeof(float));
    MPI_Allreduce(MPI_IN_PLACE, flat, total, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    at = flat;
    for (int a = 0; a < arrays_count; at += lengths[a++])
        for (int i = 0; i < lengths[a]; i++)
            arrays[a][i] = at[i] * factor;
}

/* Largest difference from the mean over all ranks. */
double gradients_error(void)
{
    double error = 0;
    for (int a = 0; a < arrays_count; a++)
        for (long i = 0; i < lengths[a]; i++) {
            double sum = 0;
            for (int r = 0; r < ranks; r++)
                sum += value_of(r, a, i);
            double e = arrays[a][i] - (float)(sum / ranks);
            if (!(-e <= error && e <= error))
                error = e < 0 ? -e : e;
        }
    return error;
}

/* Microseconds for each of `calls` averages. */
double gradients_batch(int calls)
{
    MPI_Barrier(MPI_COMM_WORLD);
    double start = MPI_Wtime();
    for (int i = 0; i < calls; i++)
        gradients_average();
    return (MPI_Wtime() - start) / calls * 1e6;
}
