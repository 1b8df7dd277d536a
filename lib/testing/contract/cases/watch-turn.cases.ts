import assert from 'node:assert/strict';
import type { DiscoDriver } from '../../../driver/driver.js';
import { offersWatchTurns, type WatchTurns } from '../../../driver/watch-turns.js';
import type { DriverCase } from '../driver-case.js';

const LONG_MS = 60_000;
const SHORT_MS = 60;

function turns(driver: DiscoDriver): WatchTurns {
  assert.ok(offersWatchTurns(driver), 'the driver has takeWatch and leaveWatch');
  return driver;
}

/** How one process is chosen to watch something for all. */
export const watchTurnCases: readonly DriverCase[] = [
  {
    id: 'watch-turn',
    name: 'one watcher at a time is chosen, of all drivers; others are told how long, and come when it leaves',
    needs: ['watchTurns', 'shared broker'],
    async run(stage) {
      const one = turns(await stage.driver());
      const two = turns(await stage.driver());
      const [what, other] = [stage.topic('watched'), stage.topic('other')];
      assert.equal(await one.takeWatch(what, 'a', LONG_MS), 0, 'the first one is chosen');
      const leftMs = await two.takeWatch(what, 'b', LONG_MS);
      // A clock of fractions may be off by the last of its digits.
      assert.ok(
        leftMs > LONG_MS / 2 && leftMs < LONG_MS + 1,
        `the second one is told how long: ${leftMs} ms`,
      );
      assert.equal(await two.takeWatch(other, 'b', LONG_MS), 0, 'each thing has turns of its own');
      assert.equal(await one.takeWatch(what, 'a', LONG_MS), 0, 'who is chosen stays so');
      await two.leaveWatch(what, 'b');
      assert.ok((await two.takeWatch(what, 'b', LONG_MS)) > 0, 'who is not chosen ends no turn');
      await one.leaveWatch(what, 'a');
      assert.equal(await two.takeWatch(what, 'b', LONG_MS), 0, 'the next one comes when it has left');
      await two.leaveWatch(what, 'b');
      await two.leaveWatch(other, 'b');
    },
  },
  {
    id: 'watch-lease',
    name: 'a watcher that does not ask again loses its turn when its lease is over',
    needs: ['watchTurns'],
    async run(stage) {
      const driver = turns(await stage.driver());
      const what = stage.topic();
      assert.equal(await driver.takeWatch(what, 'a', SHORT_MS), 0);
      await stage.quiet(2 * SHORT_MS);
      assert.equal(await driver.takeWatch(what, 'b', LONG_MS), 0, 'the next one is chosen');
      assert.ok((await driver.takeWatch(what, 'a', SHORT_MS)) > 0, 'the first one has lost its turn');
      await driver.leaveWatch(what, 'b');
    },
  },
];
