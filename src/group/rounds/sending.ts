/** Sends a member's frames for a collective: its data, or the reason why it has none. */

import { CollectiveError, describeError } from '../../core/errors.js';
import type { Collective } from '../transport.js';
import { sendWhole } from './algorithms.js';
import { writeHeader, writeText } from './header.js';
import type { Rounds } from './rounds.js';
import type { RoundsWork } from './work.js';

/** Sends the first frame of `work`. */
export function sendFirst(rounds: Rounds, work: RoundsWork): void {
  const { call, route } = work;
  if (call.kind === 'raise') {
    sendText(rounds, work, call, call.message);
    return;
  }
  try {
    sendHeader(rounds, work, call);
    if (route === 'whole') sendWhole(rounds, call, call.input);
    else if (route === 'parts') rounds.parts?.send(call.input);
    else rounds.send(0, 0);
  } catch (error) {
    sendFailure(rounds, work, call, error);
  }
}

/** Sends a further frame of `work` by `send`. */
export function sendNext(rounds: Rounds, work: RoundsWork, send: () => void): void {
  const { call } = work;
  try {
    sendHeader(rounds, work, call);
    send();
  } catch (error) {
    sendFailure(rounds, work, call, error);
  }
}

function sendHeader({ frames }: Rounds, work: RoundsWork, call: Collective): void {
  if (call.list == null && call.input.length !== work.count)
    throw new TypeError(`${call.kind}: data was detached`);
  writeHeader(frames, call, work.number, work.count);
}

/** Lets all members fail, since this one cannot go on; not if the carrier has failed. */
function sendFailure(rounds: Rounds, work: RoundsWork, call: Collective, error: unknown): void {
  if (error instanceof CollectiveError) throw error;
  sendText(rounds, work, { ...call, kind: 'raise' }, describeError(error));
}

function sendText(rounds: Rounds, work: RoundsWork, call: Collective, text: string): void {
  writeHeader(rounds.frames, call, work.number, work.count);
  const bytes = writeText(rounds.frames, text);
  rounds.send(bytes, bytes);
}
