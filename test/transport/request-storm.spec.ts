import {
  type ArgumentsHost,
  Catch,
  Controller,
  type RpcExceptionFilter,
  UseFilters,
  ValidationPipe,
} from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { IsInt } from 'class-validator';
import { lastValueFrom } from 'rxjs';
import type { BusLogger, LogFields } from '../../lib/bus/options/bus-logger.js';
import type { DiscoBusServerOptions } from '../../lib/transport/transport-options.js';
import { closeAll, engines, stage, useEngines } from './support.js';

useEngines();

/** Requests of each storm, and the lines of one kind that are written in 10 s. */
const STORM = 200;
const LINES = 20;

class Order {
  @IsInt()
  number!: number;
}

/** A filter with a fault of its own. */
@Catch()
class Broken implements RpcExceptionFilter {
  catch(_error: unknown, _host: ArgumentsHost): never {
    throw new Error('the filter is broken');
  }
}

@Controller()
class Orders {
  @MessagePattern('place')
  place(@Payload() order: Order): number {
    return order.number;
  }

  @UseFilters(new Broken())
  @MessagePattern('cancel')
  cancel(): never {
    throw new Error('db down');
  }
}

/** What a logger is given, by the level. */
function recorder() {
  const lines: { level: keyof BusLogger; text: string; fields: LogFields | undefined }[] = [];
  const write = (level: keyof BusLogger) => (text: string, fields?: LogFields) =>
    void lines.push({ level, text, fields });
  const of = (event: string) => lines.filter(({ fields }) => fields?.event === event);
  return { logger: { log: write('log'), warn: write('warn'), error: write('error') }, of };
}

const fails = () => {
  throw new Error('what is this?');
};

const storms: Record<
  string,
  { pattern: string; level: string; text: RegExp; server?: DiscoBusServerOptions }
> = {
  'request-failed': {
    pattern: 'cancel',
    level: 'error',
    text: /^Request \S+ to "cancel" failed: Error: the filter is broken\n\s+at /,
  },
  'request-refused': {
    pattern: 'place',
    level: 'warn',
    text: /^Request \S+ to "place" was refused: PayloadInvalidError: .*number must be an integer/,
  },
  'request-unreadable': {
    pattern: 'place',
    level: 'error',
    text: /^Request \S+ to "place" could not be read: Error: what is this\?\n\s+at /,
    server: { deserializer: { deserialize: fails } },
  },
  'reply-not-written': {
    pattern: 'place',
    level: 'error',
    text: /^The reply to request \S+ to "place" could not be written: Error: what is this\?/,
    server: { serializer: { serialize: fails } },
  },
};

describe.each(engines)('A storm of requests that fail over $name', (engine) => {
  const { client, serve } = stage(engine);

  it.each(Object.entries(storms))('writes 20 lines of %s, and how many it left out', async (event, storm) => {
    const { pattern, level, text, server } = storm;
    const { logger, of } = recorder();
    await serve(Orders, {
      servers: [{ ...server, logger }],
      prepare: (app) => app.useGlobalPipes(new ValidationPipe()),
    });
    const one = client();
    const asked = Array.from({ length: STORM }, () =>
      lastValueFrom(one.send(pattern, { number: event === 'request-refused' ? 'five' : 5 })),
    );
    const answers = await Promise.allSettled(asked);
    expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(STORM);

    expect(of(event)).toHaveLength(LINES);
    const [line] = of(event);
    expect(line.level).toBe(level);
    expect(line.text).toMatch(text);
    expect(line.fields).toMatchObject({
      topic: pattern,
      messageId: expect.any(String),
      error: expect.any(String),
    });
    expect(of('lines-left-out')).toEqual([]);
    // The bus closes, and says it before the 10 s are over.
    await closeAll();
    const leftOut = of('lines-left-out').find(({ fields }) => fields?.of === event);
    expect(leftOut).toMatchObject({ level, fields: { topic: pattern, lines: STORM - LINES } });
  });
});
