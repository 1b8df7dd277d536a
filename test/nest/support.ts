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

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
