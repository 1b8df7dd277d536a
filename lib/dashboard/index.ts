export { DiscoDashboardModule } from './dashboard.module.js';
export type {
  DashboardAuditOptions,
  DashboardPayloads,
  DashboardRequest,
  DiscoDashboardOptions,
} from './dashboard-options.js';
