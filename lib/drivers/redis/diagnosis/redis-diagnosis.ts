import type { FeatureRights } from '../streams/feature-rights.js';
import type { StreamConnection } from '../streams/stream-connection.js';
import type { StreamKeys } from '../streams/stream-keys.js';
import { ChannelUses } from './channel-uses.js';
import { GroupDiagnosis } from './group-diagnosis.js';
import { ServerDiagnosis } from './server-diagnosis.js';
import { StreamTail } from './stream-tail.js';

/** What a {@link RedisDiagnosis} works with. */
export interface DiagnosisSetup {
  readonly connection: StreamConnection;
  readonly keys: StreamKeys;
  readonly rights: FeatureRights;
  /** A connection that reads may block. */
  openReader(): StreamConnection;
}

/** What can be found out of a server beside what an inspection tells. Nothing of it changes anything. */
export class RedisDiagnosis {
  readonly channels: ChannelUses;
  readonly groups: GroupDiagnosis;
  readonly server: ServerDiagnosis;

  constructor(private readonly setup: DiagnosisSetup) {
    const { connection, keys, rights } = setup;
    this.channels = new ChannelUses(connection, keys, rights);
    this.groups = new GroupDiagnosis(connection, keys, rights);
    this.server = new ServerDiagnosis(connection, keys);
  }

  /** For its caller to close. */
  openTail(): StreamTail {
    return new StreamTail(this.setup.openReader(), this.setup.keys);
  }
}
