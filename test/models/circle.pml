/*
 * The search for circles: src/group/thread/{circle,segment}.ts. Rank 0 blocks in one wait after the
 * other, and rank 1 reads what rank 0 is blocked in while that changes. A wait is (area, call); only
 * (1, 1) and (2, 2) ever are.
 *
 *   -DFIRST=1|0   whether the area is taken away before the epoch counts up (0 shows a torn read)
 */
#ifndef FIRST
#define FIRST 1
#endif

byte area, call, epoch;

/* Segment.markBlocked */
inline mark(newArea, newCall) {
  if
  :: FIRST -> area = 0
  :: else
  fi;
  epoch++;
  call = newCall;
  area = newArea
}

active proctype Blocked() {
  mark(1, 1);
  mark(0, 0);
  mark(2, 2);
  mark(0, 0)
}

/* edgesOf: the epoch before and after, and the two words between. */
active proctype Searching() {
  byte before, after, seenArea, seenCall;
  before = epoch;
  seenArea = area;
  seenCall = call;
  after = epoch;
  if
  :: seenArea == 0 || before != after
  :: else -> assert(seenArea == seenCall)
  fi
}
