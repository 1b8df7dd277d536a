import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';

const open: INestApplicationContext[] = [];

/** A started application with these providers; closed after the test by {@link closeApps}. */
export async function startApp(metadata: ModuleMetadata): Promise<TestingModule> {
  const app = await Test.createTestingModule(metadata)
    .setLogger(false as never)
    .compile();
  open.push(app);
  await app.init();
  return app;
}

/** The same through NestFactory, as an application of its own would be. */
export async function startContext(metadata: ModuleMetadata): Promise<INestApplicationContext> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  open.push(app);
  return app;
}

export async function closeApps(): Promise<void> {
  await Promise.all(open.splice(0).map((app) => app.close()));
}

/** Values that come one by one, and a way to wait for so many. */
export class Collector<T> {
  readonly values: T[] = [];
  private readonly waiters = new Set<() => void>();

  readonly add = (value: T): void => {
    this.values.push(value);
    for (const waiter of this.waiters) waiter();
  };

  /** Resolves with all values when there are `count`; rejects after `timeoutMs`. */
  async has(count: number, timeoutMs = 10_000): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(() => reject(new Error(`waited for ${count}, got ${this.values.length}`))),
        timeoutMs,
      );
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.waiters.delete(check);
        settle();
      };
      const check = () => {
        if (this.values.length >= count) end(() => resolve(this.values));
      };
      this.waiters.add(check);
      check();
    });
  }
}

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
