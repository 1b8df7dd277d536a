import { inspect } from 'node:util';
import { ConsoleLogger, Logger } from '@nestjs/common';
import type { BusLogger, LogFields } from '../bus/options/bus-logger.js';

/** The logger of an application, as far as it tells what it makes of a line's fields. */
interface ApplicationLogger {
  /** Of nestjs-pino's `NativeLogger`, where it takes fields as Nest's own does. */
  readonly structuredParams?: boolean;
  /** The pino logger behind that of nestjs-pino. */
  readonly logger?: { readonly info?: unknown; readonly trace?: unknown };
}

/** Nest's console logger takes fields beside the text from Nest 12 on; before it printed them as a line of their own. */
const takesFields = 'stringifyParams' in ConsoleLogger.prototype;

/**
 * Nest's logger as a bus writes to it. Loggers that write JSON get the fields: Nest's own beside the text, pino among its own.
 * Those that write text are given none, as the text says all.
 */
export function nestLogger(logger: Logger): BusLogger {
  const write = (level: keyof BusLogger) => (text: string, fields?: LogFields) => {
    const target = applicationLogger();
    if (fields === undefined || (target instanceof ConsoleLogger && !takesFields)) logger[level](text);
    else if (isPino(target)) logger[level]({ ...fields, msg: text });
    else logger[level](text, silent(fields));
  };
  return { log: write('log'), warn: write('warn'), error: write('error') };
}

/** What Nest's loggers pass their lines on to; Nest keeps it to itself. */
function applicationLogger(): ApplicationLogger | undefined {
  return (Logger as unknown as { staticInstanceRef?: ApplicationLogger }).staticInstanceRef;
}

function isPino(target: ApplicationLogger | undefined): boolean {
  const { info, trace } = target?.logger ?? {};
  return typeof info === 'function' && typeof trace === 'function' && !target?.structuredParams;
}

/** Fields that are no part of a line of text. */
function silent(fields: LogFields): object {
  return { ...fields, [inspect.custom]: () => '' };
}
