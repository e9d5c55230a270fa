/*
 * Rounds of threads: src/group/rounds/shared-rounds.ts, src/group/thread/{thread-rounds,doorbell,fate}.ts.
 * One group of all N ranks, K rounds, two slots a member. Shared memory is touched one step at a time.
 *
 *   -DN=2|3  -DK=rounds  -DFAULT=0..3   0: none, 1: the victim throws, 2: it leaves, 3: it is killed
 *   -DLOOK=1|0   whether the failure is looked at once more after arming (0 shows what that is for)
 *
 * No rank polls: one that sleeps wakes by its bell alone. So a lost bell is a rank that never ends,
 * which spin reports as an invalid end state.
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
#ifndef LOOK
#define LOOK 1
#endif
#define VICTIM (N - 1)

byte round[2 * N];   /* the number in the header of each slot: member m, parity p at 2 * m + p */
byte data[2 * N];    /* what lies behind it: the number of the round that it belongs to */
bit parked[N];
byte bell[N];
byte alarms;
bit failed;          /* the failure record of the world */
bit gone[N];         /* left, or its thread has ended */

inline ring(r) {
  if
  :: parked[r] == 0
  :: else -> bell[r]++   /* Atomics.add, then notify: whoever waits for the old value wakes */
  fi
}

inline ringAll() {
  alarms++;
  i = 0;
  do
  :: i < N -> ring(i); i++
  :: else -> break
  od
}

/* SharedRounds.send: the data, the number of the round, then the bells of those who sleep. */
inline send() {
  k++;
  data[2 * me + (k & 1)] = k;
  round[2 * me + (k & 1)] = k;
  i = 0;
  do
  :: i < N && i != me -> ring(i); i++
  :: i < N && i == me -> i++
  :: i >= N -> break
  od
}

/* SharedRounds.arrived: all frames of this round are there, and nobody has overwritten one. */
inline look() {
  i = 0;
  do
  :: i < N && round[2 * i + (k & 1)] == k -> i++
  :: i < N && round[2 * i + (k & 1)] != k -> break
  :: i >= N -> break
  od;
  if
  :: i >= N ->
     i = 0;
     do
     :: i < N -> assert(data[2 * i + (k & 1)] == k); i++
     :: else -> break
     od;
     settled = 1
  :: else
  fi
}

/* ThreadFate.lost: one word while all is well; a member that is gone has sent all that it will. */
inline check() {
  a = alarms;
  if
  :: a == known
  :: else ->
     if
     :: failed -> lost = 1
     :: else ->
        i = 0;
        do
        :: i < N && i != me && gone[i] ->
           if
           :: round[2 * i + (k & 1)] != k -> lost = 1; break
           :: else -> i++
           fi
        :: i < N && (i == me || !gone[i]) -> i++
        :: i >= N -> break
        od;
        if
        :: !lost ->
           i = 0;
           do
           :: i < N && !gone[i] -> i++
           :: i < N && gone[i] -> break
           :: i >= N -> known = a; break
           od
        :: else
        fi
     fi
  fi
}

proctype Rank(byte me) {
  byte k, i, a, value, known = 255;
  bit settled, lost;
  do
  :: k == K -> break
  :: k < K ->
     if
     :: FAULT == 1 && me == VICTIM -> failed = 1; ringAll(); break
     :: FAULT == 2 && me == VICTIM -> gone[me] = 1; ringAll(); break
     :: FAULT == 3 && me == VICTIM -> break
     :: skip
     fi;
     send();
     settled = 0;
     do
     :: settled || lost -> break
     :: else ->
        /* Doorbell.arm, Waiting.#lastLook, Doorbell.block */
        value = bell[me];
        parked[me] = 1;
        look();
        if
        :: !settled && LOOK -> check()
        :: else
        fi;
        if
        :: settled || lost
        :: else -> bell[me] != value; if :: !LOOK -> check() :: else fi
        fi;
        parked[me] = 0
     od;
     if
     :: lost -> break
     :: else
     fi
  od;
  /* The launcher marks a thread that has ended. */
  gone[me] = 1;
  ringAll();
  assert(k == K || lost || me == VICTIM)
}

init {
  byte r;
  atomic {
    do
    :: r < N -> run Rank(r); r++
    :: else -> break
    od
  }
}
