import assert from 'node:assert/strict';
import { type DiscoDriver, type DriverPublishOptions } from '../../../driver/driver.js';
import { isDiscoBusError } from '../../../errors/disco-bus-error.js';
import { type DriverCase } from '../driver-case.js';
import { type DriverStage } from '../driver-stage.js';
import { type Inbox } from '../inbox.js';

const TIMEOUT_MS = 500;
/** Timers of a machine may be this much early. */
const EARLY_MS = 5;

/** What became of a publish. */
interface Outcome {
  readonly text: string;
  code?: string;
  cause?: unknown;
  afterMs?: number;
}

/** Publishes `text` and keeps what becomes of it. */
function publishing(
  stage: DriverStage,
  driver: DiscoDriver,
  text: string,
  options: Partial<DriverPublishOptions> = {},
): Outcome {
  const outcome: Outcome = { text };
  const startedMs = stage.now();
  const settled = (error?: unknown) => {
    outcome.afterMs = stage.now() - startedMs;
    outcome.code = isDiscoBusError(error)
      ? error.code
      : error === undefined
        ? 'accepted'
        : 'no DiscoBusError';
    outcome.cause = (error as Error | undefined)?.cause;
  };
  stage.publish(driver, stage.topic(), text, options).then(() => settled(), settled);
  return outcome;
}

/** Plays `during` while the broker answers nothing. Its topic is in use before. */
async function stalled(
  stage: DriverStage,
  during: (driver: DiscoDriver) => Promise<void>,
): Promise<{ driver: DiscoDriver; inbox: Inbox }> {
  const { publisher: driver, subscriber } = await stage.pair();
  const inbox = await stage.inbox(subscriber, stage.topic());
  await stage.publish(driver, stage.topic(), 'before');
  await stage.received(inbox, 1);
  const goOn = await stage.harness.stallBroker!();
  try {
    await during(driver);
  } finally {
    await goOn();
  }
  return { driver, inbox };
}

const isSettled = ({ code }: Outcome) => code !== undefined;

/** A driver alone keeps the time of a publish, and its signal. */
export const publishTimeCases: readonly DriverCase[] = [
  {
    id: 'publish-timeout',
    name: 'a publish settles when its timeout is over, no other does, and what was said not to be sent never arrives',
    needs: ['stallBroker', 'shared broker'],
    async run(stage) {
      let hurried: Outcome[] = [];
      const patient: Outcome[] = [];
      const { driver, inbox } = await stalled(stage, async (publisher) => {
        patient.push(publishing(stage, publisher, 'patient'));
        hurried = ['1', '2', '3'].map((text) =>
          publishing(stage, publisher, text, { timeoutMs: TIMEOUT_MS }),
        );
        patient.push(publishing(stage, publisher, 'patient too'));
        await stage.until('those whose time is over to be settled', () => hurried.every(isSettled));
        assert.deepEqual(patient.filter(isSettled), [], 'a timeout of others ended it');
      });
      for (const { code, afterMs = 0 } of hurried) {
        assert.match(code ?? '', /^DISCO_PUBLISH_(TIMEOUT|OUTCOME_UNKNOWN)$/);
        assert.ok(afterMs >= TIMEOUT_MS - EARLY_MS, `it was given up after ${afterMs} ms`);
        assert.ok(afterMs < 2 * TIMEOUT_MS, `it was given up only after ${afterMs} ms`);
      }
      await stage.until('the others to be settled', () => patient.every(isSettled));
      if (stage.durable)
        assert.deepEqual(
          patient.map(({ code }) => code),
          ['accepted', 'accepted'],
        );
      await stage.publish(driver, stage.topic(), 'end');
      await stage.until('the end', () => inbox.texts.includes('end'));
      const unsent = hurried.filter(({ code }) => code === 'DISCO_PUBLISH_TIMEOUT').map(({ text }) => text);
      assert.deepEqual(
        unsent.filter((text) => inbox.texts.includes(text)),
        [],
        'it was sent later',
      );
    },
  },
  {
    id: 'abort-sent',
    name: 'a signal ends a publish at once also when it is sent: its outcome is unknown, for the reason given',
    needs: ['stallBroker', 'shared broker'],
    async run(stage) {
      await stalled(stage, async (publisher) => {
        const caller = new AbortController();
        const outcome = publishing(stage, publisher, 'sent', { signal: caller.signal });
        await stage.quiet();
        assert.ok(!isSettled(outcome), 'the broker answered');
        caller.abort('enough');
        await stage.until('the publish to be settled', () => isSettled(outcome));
        assert.match(outcome.code ?? '', /^DISCO_(PUBLISH_OUTCOME_UNKNOWN|ABORTED)$/);
        assert.equal(outcome.cause, 'enough');
        assert.ok((outcome.afterMs ?? 0) < 5_000, `only after ${outcome.afterMs} ms`);
      });
    },
  },
];
