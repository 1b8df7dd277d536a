import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DiscoBusService, isDiscoBusError } from 'nestjs-disco-bus';
import { PersonNamed, PersonNamed2, peopleBefore } from './contract/people.js';
import { DirectoryModule, DirectoryService } from './directory.service.js';
import { ReceptionModule } from './reception.module.js';

Logger.log(
  'Two services share a contract, and one of them is a version behind: it publishes, asks, and is refused what does not fit.',
  'Sample',
);

const logger = new Logger('Reception');
const options = { logger: ['error'] as 'error'[] };
const directory = await NestFactory.createApplicationContext(DirectoryModule, options);
const reception = await NestFactory.createApplicationContext(ReceptionModule, options);
directory.useLogger(['log', 'error']);

const behind = reception.get(DiscoBusService);
const ahead = directory.get(DiscoBusService);
await behind.publish(PersonNamed, { id: 'p1', name: 'Ada Lovelace' });
await ahead.publish(PersonNamed2, { id: 'p2', given: 'Grace', family: 'Hopper' });
await directory.get(DirectoryService).knows(2);

for (const id of ['p1', 'p2', 'p3']) {
  const { greeting } = await behind.client(peopleBefore).FindPerson({ id });
  logger.log(`asked for ${id}: ${greeting}`);
}

// What comes from outside, as JSON, is known to nobody but the schema.
const form = JSON.parse('{ "id": "p4", "name": "" }') as { id: string; name: string };
try {
  await behind.publish(PersonNamed, form);
} catch (error) {
  if (!isDiscoBusError(error)) throw error;
  logger.log(`refused: ${error.message}`);
}

// A sample leaves nothing behind.
await ahead.drain();
for (const { name } of ahead.bus.definitions) await ahead.removeGroup(name, 'directory');
await Promise.all([reception.close(), directory.close()]);
