import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DiscoBusService } from 'nestjs-disco-bus';
import { withTestLocks } from 'nestjs-disco-bus/testing';
import { Shelf } from './shelf.js';
import { Shop } from './shop.service.js';

const noBus = {} as DiscoBusService;

void it('unit: the stock is counted under a lock', async () => {
  const shop = await withTestLocks(new Shop(noBus, new Shelf()));
  assert.equal(await shop.count(), 100);
});

void it('unit: nobody counts while somebody else does', async () => {
  const shop = await withTestLocks(new Shop(noBus, new Shelf()), { held: ['stocktaking'] });
  assert.equal(await shop.count(), undefined);
});
