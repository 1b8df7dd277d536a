import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Test } from '@nestjs/testing';
import { DiscoTest } from 'nestjs-disco-bus/testing';
import { AppModule } from './app.module.js';
import { Shelf } from './shelf.js';
import { Shop } from './shop.service.js';

void it('application: an order is packed, though the first attempt fails', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  module.useLogger(false);
  const test = DiscoTest.attach(module);
  await module.init();
  try {
    test.fail('orders', new Error('the light goes out'));
    await module.get(Shop).order(7);
    await test.settled();
    assert.deepEqual(
      test.published('packed').map(({ payload }) => payload),
      [{ order: 7 }],
    );
    assert.equal(test.handled('orders')[0].attempt, 2);
    assert.equal(module.get(Shelf).records, 99);
  } finally {
    await module.close();
  }
});
