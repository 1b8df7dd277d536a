import type { Command } from '../command.js';
import { groups } from './groups.js';
import { lag } from './lag.js';
import { topic } from './topic.js';
import { topics } from './topics.js';

/** All commands by name, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = { topics, topic, groups, lag };
