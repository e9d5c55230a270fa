/** Variables that tell a script, and the programs that it starts, which rank they belong to. */

/** Named as PyTorch's launcher names them. */
export function rankVariables(
  rank: number,
  size: number,
  localRank: number,
  localSize: number,
): Record<string, string> {
  return {
    RANK: String(rank),
    WORLD_SIZE: String(size),
    LOCAL_RANK: String(localRank),
    LOCAL_WORLD_SIZE: String(localSize),
  };
}
