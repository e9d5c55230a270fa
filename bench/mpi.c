/* Plain MPI_Allreduce from C, for bench/mpi.ts: a library that its rank program calls in turns. */

#include <mpi.h>

static double values[1 << 16], sums[1 << 16];

/* Microseconds for each of `calls` sums of `count` doubles over all ranks. */
double allreduce_batch(int count, int calls)
{
    double start = MPI_Wtime();
    for (int i = 0; i < calls; i++)
        MPI_Allreduce(values, sums, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return (MPI_Wtime() - start) / calls * 1e6;
}
