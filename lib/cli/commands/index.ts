import type { Command } from '../command.js';
import { audit } from './audit.js';
import { contract } from './contract.js';
import { dead } from './dead.js';
import { delayed } from './delayed.js';
import { doctor } from './doctor.js';
import { explain } from './explain.js';
import { groups } from './groups.js';
import { instances } from './instances.js';
import { lag } from './lag.js';
import { locks } from './locks.js';
import { pending } from './pending.js';
import { publish } from './publish.js';
import { tail } from './tail.js';
import { topic } from './topic.js';
import { topics } from './topics.js';

/** All commands by name, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  topics,
  topic,
  groups,
  lag,
  tail,
  publish,
  pending,
  delayed,
  dead,
  instances,
  locks,
  explain,
  audit,
  doctor,
  contract,
};
