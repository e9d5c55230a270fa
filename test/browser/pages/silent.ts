/** A worker's script that never calls `runRank`. */
