import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService } from 'nestjs-disco-bus';
import { DiscoBusServer } from 'nestjs-disco-bus/transport';
import { firstValueFrom } from 'rxjs';
import { AppModule } from './app.module.js';
import { OrdersController } from './orders.controller.js';

Logger.log(
  'One application serves HTTP and the bus: an order comes in, is an event, and is asked for.',
  'Sample',
);

const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.connectMicroservice({ strategy: app.get(DiscoBusServer) });
await app.startAllMicroservices();
await app.listen(Number(process.env.PORT ?? 0), '127.0.0.1');
app.useLogger(['log', 'warn', 'error']);
const logger = new Logger('Client');
const url = await app.getUrl();

const arrived = firstValueFrom(app.get(OrdersController).arrivals);
const order = { number: 1, items: ['a mirror ball', 'a dance floor'] };
const headers = { 'content-type': 'application/json' };
const placed = await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify(order) });
logger.log(`POST /orders answers ${placed.status}`);
await arrived;

const total = await fetch(`${url}/orders/1/total`);
logger.log(`GET /orders/1/total answers ${total.status}: ${await total.text()}`);
const missing = await fetch(`${url}/orders/2/total`);
logger.log(`GET /orders/2/total answers ${missing.status}: ${await missing.text()}`);

// A sample leaves nothing behind.
const bus = app.get(DiscoBusService);
await bus.drain();
await bus.removeGroup('orders.placed', 'orders');
await app.close(); // lets handlers finish
