import assert from 'node:assert/strict';
import type { DiscoDriver } from '../../driver/driver.js';
import {
  type GroupInspection,
  type InspectionProvider,
  offersInspection,
  type TopicInspection,
} from '../../driver/inspection.js';
import type { DriverStage } from './driver-stage.js';

/** What the driver tells of its topics. */
export function inspection(driver: DiscoDriver): InspectionProvider {
  assert.ok(offersInspection(driver), 'the driver has listTopics, inspectTopic and inspectTopics');
  return driver;
}

/** A topic that is there. */
export async function inspected(driver: DiscoDriver, topic: string): Promise<TopicInspection> {
  const found = await inspection(driver).inspectTopic(topic);
  assert.ok(found, 'the topic is there');
  return found;
}

/** A group that is there, the case's own unless another is named. */
export async function groupOf(
  driver: DiscoDriver,
  topic: string,
  group = 'contract',
): Promise<GroupInspection> {
  const { groups } = await inspected(driver, topic);
  const found = groups.find(({ group: name }) => name === group);
  assert.ok(found, `the group ${group} is there`);
  return found;
}

/** Frames of several messages each; what is in them does not matter to a driver. */
export async function publishBundles(
  stage: DriverStage,
  driver: DiscoDriver,
  topic: string,
  sizes: readonly number[],
): Promise<void> {
  for (const messages of sizes) await stage.publish(driver, topic, `${messages} messages`, { messages });
}
