import { describe, expect, it } from 'vitest';
import { check, FAULTS } from './check.js';

const LIMIT_MS = 120_000;

describe('the model of rounds, two ranks and every interleaving', () => {
  it.each(FAULTS)(
    'has no lost bell, no overwritten frame and no rank left waiting, fault: %s',
    (name) => {
      const { errors, states, output } = check('rounds', { N: 2, FAULT: FAULTS.indexOf(name) });
      expect({ errors, output }).toEqual({ errors: 0, output });
      expect(states).toBeGreaterThan(100_000);
    },
    LIMIT_MS,
  );

  it(
    'shows what the look after arming is for: without it a failure is slept through',
    () => {
      const { errors, output } = check('rounds', { N: 2, FAULT: 1, LOOK: 0 });
      expect(errors).toBeGreaterThan(0);
      expect(output).toContain('invalid end state');
    },
    LIMIT_MS,
  );
});

describe('the model of the search for circles', () => {
  it('never sees a wait that was none', () => {
    expect(check('circle', {}).errors).toBe(0);
  });

  it('shows why the area goes first: else two waits are read as one', () => {
    const { errors, output } = check('circle', { FIRST: 0 });
    expect(errors).toBeGreaterThan(0);
    expect(output).toContain('assertion violated');
  });
});
