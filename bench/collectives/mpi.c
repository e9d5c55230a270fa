/* Plain MPI_Allreduce from C: a library for mpi-rank.ts, whose process has started MPI. */

#include <mpi.h>

static double values[1 << 16], sums[1 << 16];

/* all = the sum of `own`, `count` doubles, over all ranks. */
void allreduce_once(const double *own, double *all, int count)
{
    MPI_Allreduce(own, all, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

/* Microseconds for each of `calls` sums of `count` doubles over all ranks. */
double allreduce_batch(int count, int calls)
{
    double start = MPI_Wtime();
    for (int i = 0; i < calls; i++)
        MPI_Allreduce(values, sums, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return (MPI_Wtime() - start) / calls * 1e6;
}
