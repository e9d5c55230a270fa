/** Passes, in both ways of waiting for what they need. */

import { describe, expect, it } from 'vitest';
import { mustAwait } from '../../src/group/may-block.js';
import {
  checkBlocking,
  finished,
  after as followedBy,
  meeting,
  type Pass,
  runNow,
  startInTurn,
} from '../../src/group/pass.js';
import type { Work } from '../../src/group/transport.js';

/** What passes did, in order. */
class Journal {
  readonly lines: string[] = [];

  work(name: string, error?: Error): Work<string> {
    const end = (how: string) => {
      this.lines.push(`${name} ${how}`);
      if (error !== undefined) throw error;
      return name;
    };
    return { wait: () => end('waited'), done: async () => end('awaited') };
  }

  /** A pass that meets twice; its result is its name. */
  pass(name: string, error?: Error): Pass<string> {
    let stage = 0;
    return {
      result: name,
      step: () => {
        this.lines.push(`${name} step ${stage}`);
        if (stage === 2) return null;
        return this.work(`${name}${stage++}`, stage === 2 ? error : undefined);
      },
      abandon: () => this.lines.push(`${name} abandoned`),
    };
  }
}

const WHOLE = ['a step 0', 'a0 waited', 'a step 1', 'a1 waited', 'a step 2'];

describe('a pass', () => {
  it('runs to its end at once, waiting for each of its works', () => {
    const journal = new Journal();
    expect(runNow(journal.pass('a'))).toBe('a');
    expect(journal.lines).toEqual(WHOLE);
    expect(runNow(finished(3))).toBe(3);
    expect(runNow(meeting(journal.work('w'), 4))).toBe(4);
  });

  it('goes on with what comes after it, once', () => {
    const journal = new Journal();
    const pass = followedBy(journal.pass('a'), (name) => journal.lines.push('after') && `${name}!`);
    expect(runNow(pass)).toBe('a!');
    expect(journal.lines).toEqual([...WHOLE, 'after']);
  });

  it('gives back what it holds when it fails, from the inside out', () => {
    const journal = new Journal();
    const gone = new Error('peer gone');
    const pass = followedBy(
      journal.pass('a', gone),
      () => expect.unreachable('after a failure'),
      () => journal.lines.push('outer abandoned'),
    );
    expect(() => runNow(pass)).toThrow(gone);
    expect(journal.lines.slice(-3)).toEqual(['a1 waited', 'a abandoned', 'outer abandoned']);
  });
});

describe('passes that are started in turn', () => {
  it('begin at once when none is under way, and give their result as often as asked', async () => {
    const journal = new Journal();
    const work = startInTurn(() => journal.pass('a'));
    expect(journal.lines).toEqual(['a step 0']);
    expect(work.wait()).toBe('a');
    expect(work.wait()).toBe('a');
    expect(await work.done()).toBe('a');
    expect(journal.lines).toEqual(WHOLE);
  });

  it.each(['wait', 'done'] as const)('run in the order of their calls by %s', async (how) => {
    const journal = new Journal();
    const works = ['a', 'b', 'c'].map((name) => startInTurn(() => journal.pass(name)));
    // The last one moves those before it, too.
    if (how === 'wait') expect(works[2].wait()).toBe('c');
    else expect(await works[2].done()).toBe('c');
    const word = how === 'wait' ? 'waited' : 'awaited';
    expect(journal.lines).toEqual(
      ['a', 'b', 'c']
        .flatMap((name) => WHOLE.map((line) => line.replaceAll('a', name)))
        .map((line) => line.replace(/w.*$/, word)),
    );
    expect(await Promise.all(works.map((work) => work.done()))).toEqual(['a', 'b', 'c']);
  });

  it('are made when their turn comes, and a failure does not stop the next', async () => {
    const journal = new Journal();
    const gone = new Error('peer gone');
    const refused = new RangeError('bad argument');
    const works = [
      startInTurn(() => journal.pass('a', gone)),
      startInTurn((): Pass<string> => {
        journal.lines.push('made');
        throw refused;
      }),
      startInTurn(() => journal.pass('c')),
    ];
    expect(journal.lines).toEqual(['a step 0']);
    const outcomes = await Promise.allSettled(works.map((work) => work.done()));
    expect(outcomes).toEqual([
      { status: 'rejected', reason: gone },
      { status: 'rejected', reason: refused },
      { status: 'fulfilled', value: 'c' },
    ]);
    expect(() => works[0].wait()).toThrow(gone);
    expect(journal.lines.slice(3, 6)).toEqual(['a1 awaited', 'a abandoned', 'made']);
  });

  it('cannot be waited for while they are awaited', async () => {
    const journal = new Journal();
    const [first, second] = ['a', 'b'].map((name) => startInTurn(() => journal.pass(name)));
    const promise = first.done();
    for (const work of [first, second]) {
      expect(() => work.wait()).toThrow(/done\(\) was called before/);
    }
    expect(await promise).toBe('a');
    expect(second.wait()).toBe('b');
  });

  it('keep going where their thread may not block', async () => {
    const work = startInTurn(() => new Journal().pass('a'), false);
    expect(() => work.wait()).toThrow(mustAwait());
    expect(await work.done()).toBe('a');
    expect(work.wait()).toBe('a');
  });

  it('leave no call to block beside them, and none when they are over', async () => {
    const check = () => checkBlocking(null, "SyncBatchNorm 'bn1'", 'forward');
    const work = startInTurn(() => new Journal().pass('a'));
    expect(check).toThrow(
      new Error(
        "SyncBatchNorm 'bn1': forward: a pass that was started on this thread is not over; " +
          'await its done() first',
      ),
    );
    await work.done();
    expect(check).not.toThrow();
    await expect(
      startInTurn(() => new Journal().pass('a', new Error('x'))).done(),
    ).rejects.toThrow();
    expect(check).not.toThrow();
  });
});
