import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { AppModule } from './app.module.js';
import { CheckoutService } from './checkout.service.js';
import { WarehouseService } from './warehouse.service.js';

Logger.log('Three orders are published, a handler ships each, and the metrics count them.', 'Sample');

const items = ['a mirror ball', 'a dance floor', 'a fog machine'];
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await app.listen(0, '127.0.0.1');
app.useLogger(['log', 'warn', 'error']);

const checkout = app.get(CheckoutService);
await Promise.all(items.map((item, index) => checkout.placeOrder({ number: index + 1, item })));
await app.get(WarehouseService).hasShipped(items.length);

const metrics = await (await fetch(`${await app.getUrl()}/metrics`)).text();
const counted = metrics.split('\n').filter((line) => /^disco_bus_\w+(_total|subscriptions)\{/.test(line));
new Logger('Metrics').log(`GET /metrics answers\n  ${counted.join('\n  ')}`);

// A sample leaves nothing behind.
const bus = app.get(DiscoBusService);
await bus.drain();
await bus.removeGroup('orders', 'warehouse');
await app.close();
