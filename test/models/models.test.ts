import { describe, expect, it } from 'vitest';
import { check, checkRounds, FAULTS, FLAWS } from './check.js';

const LIMIT_MS = 120_000;

describe('the model of rounds, two ranks and every interleaving', () => {
  it.each(FAULTS)(
    'has no lost bell, no overwritten frame and no rank left waiting, fault: %s',
    (fault) => {
      const { errors, states, isWhole, output } = checkRounds(2, 3, fault);
      expect({ errors, isWhole, output }).toEqual({ errors: 0, isWhole: true, output });
      expect(states).toBeGreaterThan(10_000);
    },
    LIMIT_MS,
  );
});

describe('the model of rounds with a mistake', () => {
  it.each(FLAWS.map((each) => [each.flaw, each] as const))(
    'shows it: %s',
    (_, each) => {
      const { errors, isWhole, output } = checkRounds(each.ranks, 3, each.fault, each);
      expect(errors, output).toBe(1);
      expect(output).toMatch(/assertion violated|invalid end state/);
      expect(isWhole).toBe(false);
    },
    LIMIT_MS,
  );

  it('does not show to two ranks what takes three', () => {
    const [flaw] = FLAWS.filter(({ ranks }) => ranks === 3);
    expect(checkRounds(2, 3, flaw.fault, flaw)).toMatchObject({ errors: 0, isWhole: true });
  });
});

describe('the model of the search for circles', () => {
  it('never sees a wait that was none', () => {
    expect(check('circle', {})).toMatchObject({ errors: 0, isWhole: true });
  });

  it('shows why the area goes first: else two waits are read as one', () => {
    const { errors, output } = check('circle', { FIRST: 0 });
    expect(errors).toBeGreaterThan(0);
    expect(output).toContain('assertion violated');
  });
});
