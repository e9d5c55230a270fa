/*
 * Rounds of threads: src/group/rounds/shared-rounds.ts, src/group/thread/{thread-rounds,doorbell,fate}.ts.
 * One group of all N ranks, K rounds, two slots a member. A step touches one word of shared memory.
 *
 *   -DN=2|3  -DK=rounds   a slot is used again from the third round on
 *   -DFAULT=0..3          0: none, 1: the victim throws, 2: it leaves, 3: it is killed
 *   -DVICTIM=rank         the last one by default
 *   -DFLAW=0..7           plants a mistake (1 to 7, below), which the checker must find
 *
 * No rank polls: one that sleeps wakes by its bell alone. So a lost bell is a rank that never ends,
 * which spin reports as an invalid end state.
 *
 * Three ranks have few enough states because nothing is told apart that no rank can tell apart. The
 * code compares the bell and the count of alarms only with values that it has read before: here a
 * bit says if they differ. A rank does not look for its own frame, and does not ring its own bell.
 */
#ifndef N
#define N 2
#endif
#ifndef K
#define K 3
#endif
#ifndef FAULT
#define FAULT 0
#endif
#ifndef VICTIM
#define VICTIM (N - 1)
#endif
#ifndef FLAW
#define FLAW 0
#endif
#define BLIND 1         /* failures are looked for after sleeping, not between arming and sleeping */
#define ONE_SLOT 2      /* a member writes each frame over the one before */
#define NUMBER_FIRST 3  /* the number of the round goes before the data */
#define BELL_FIRST 4    /* the bells are rung before the number is there */
#define LATE_READ 5     /* the bell is read after the last look */
#define COME_FIRST 6    /* the frame of a member is looked for before that member is seen to be gone */
#define ONE_BELL 7      /* only the first sleeper is rung: takes three ranks to go wrong */

#define SLOT(m) (2 * (m) + (FLAW == ONE_SLOT -> 0 : (k & 1)))
#define HAS_COME(m) (round[SLOT(m)] == k)
/* The other members in rank order; N: there are no more. */
#define FIRST (me == 0)
#define AFTER(m) ((m) + 1 + ((m) + 1 == me))
#define FAILS(fault) (FAULT == fault && me == VICTIM)

byte round[2 * N];   /* the number in the header of each slot: member m, parity p at 2 * m + p */
byte data[2 * N];    /* what lies behind it: the number of the round that it belongs to */
bit parked[N];
bit rung[N];         /* the bell has changed since its rank has read it */
bit news[N];         /* there were alarms since the rank has found all well; at first it has not */
bit failed;          /* the failure record of the world */
bit gone[N];         /* left, or its thread has ended */

/* Segment.ring for each other rank. */
inline ringOthers() {
  i = FIRST;
  do
  :: d_step { i < N && !parked[i] -> i = AFTER(i) }
  :: i < N && parked[i] -> d_step { rung[i] = 1; i = (FLAW == ONE_BELL -> N : AFTER(i)) }
  :: i >= N -> i = 0; break
  od
}

/* Segment.ringAll */
inline ringAll() {
  d_step {
    i = 0;
    do
    :: i < N -> news[i] = 1; i++
    :: else -> break
    od
  }
  ringOthers()
}

/* SharedRounds.send: the data, the number of the round, then the bells of those who sleep. */
inline send() {
  k++;
#if FLAW == NUMBER_FIRST
  round[SLOT(me)] = k;
  data[SLOT(me)] = k;
#else
  data[SLOT(me)] = k;
  if
  :: FAILS(3) -> goto ended
  :: skip
  fi;
#if FLAW == BELL_FIRST
  ringOthers();
#endif
  round[SLOT(me)] = k;
#endif
#if FLAW != BELL_FIRST
  if
  :: FAILS(3) -> goto ended
  :: skip
  fi;
  ringOthers();
#endif
  seen = FIRST
}

/* SharedRounds.arrived: all frames of this round are there, and nobody has overwritten one. */
inline look() {
  do
  :: d_step { seen < N && HAS_COME(seen) -> seen = AFTER(seen) }
  :: seen < N && !HAS_COME(seen) -> break
  :: seen >= N -> settled = 1; i = FIRST; break
  od;
  do
  :: d_step { settled && i < N -> assert(data[SLOT(i)] == k); i = AFTER(i) }
  :: !settled || i >= N -> i = 0; break
  od
}

#if FLAW == COME_FIRST
#define IS_FINE(m) HAS_COME(m)
#define IS_FINE_TOO(m) (!gone[m])
#else
#define IS_FINE(m) (!gone[m])
#define IS_FINE_TOO(m) HAS_COME(m)
#endif

/* ThreadFate.lost: one word while all is well; a member that is gone has sent all that it will. */
inline check() {
  if
  :: !news[me]
  :: d_step { news[me] -> news[me] = 0 };
     if
     :: failed -> lost = 1
     :: !failed ->
        i = FIRST;
        do
        :: d_step { i < N && IS_FINE(i) -> i = AFTER(i) }
        :: i < N && !IS_FINE(i) ->
           if
           :: d_step { IS_FINE_TOO(i) -> i = AFTER(i) }
           :: d_step { !IS_FINE_TOO(i) -> assert(!HAS_COME(i)); lost = 1; i = N }
           fi
        :: i >= N -> break
        od;
        /* Frames that members left behind may be enough for some calls, but not for all. */
        i = FIRST;
        do
        :: d_step { !lost && i < N && !gone[i] -> i = AFTER(i) }
        :: !lost && i < N && gone[i] -> news[me] = 1; break
        :: lost || i >= N -> break
        od
     fi;
     i = 0
  fi
}

proctype Rank(byte me) {
  byte k, i, seen;
  bit settled, lost;
  do
  :: k == K -> break
  :: k < K ->
     if
     :: FAILS(1) -> failed = 1; ringAll(); break
     :: FAILS(2) -> gone[me] = 1; ringAll(); break
     :: FAILS(3) -> break
     :: skip
     fi;
     send();
     settled = 0;
     do
     :: settled || lost -> break
     :: !settled && !lost -> look()   /* Waiting.#look, as often as it likes */
     :: !settled && !lost ->
        /* Doorbell.arm, Waiting.#lastLook, Doorbell.block */
#if FLAW != LATE_READ
        rung[me] = 0;
#endif
        parked[me] = 1;
        look();
#if FLAW != BLIND
        if
        :: settled
        :: else -> check()
        fi;
#endif
#if FLAW == LATE_READ
        rung[me] = 0;
#endif
        if
        :: settled || lost
        :: else -> rung[me]
        fi;
#if FLAW == BLIND
        if
        :: settled
        :: else -> check()
        fi;
#endif
        parked[me] = 0
     od;
     if
     :: lost -> break
     :: else
     fi
  od;
  if
  :: k == K && !lost -> goto done   /* It has more to do, without the group. */
  :: skip
  fi;
ended:
  /* The launcher marks a thread that has ended. */
  gone[me] = 1;
  ringAll();
done:
  assert(k == K && !lost || FAULT != 0 && (lost || me == VICTIM))
}

init {
  byte r;
  atomic {
    do
    :: r < N -> news[r] = 1; run Rank(r); r++
    :: else -> break
    od
  }
}
