// The reads of the API, each with the key by which it is cached.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import {
  getAlert,
  getAlertSummary,
  getConnector,
  getDelivery,
  getDeliveryMessage,
  getMe,
  getUsage,
  listAlerts,
  listApiKeys,
  listSpaceAudit,
  listConnectorHealth,
  listConnectors,
  listMembers,
  listPauses,
  listSpaceDeliveries,
  previewAlert,
} from "./generated";
import type { AuditAction, ConnectorHealth, Delivery, DeliveryKind, DeliveryPage, DeliveryState, ListAlertsData, ListSpaceDeliveriesData, NewAlert } from "./generated";
import { answer } from "./problem";

/**
 * The interval at which an open page reads again what changes on the server, in milliseconds. Events say at once what changed; this
 * finds what only time changes, and what an event was lost about.
 */
const LIVE = 30_000;

/** Who is signed in, and their roles, which an admin may change at any time. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: () => answer(getMe()),
  staleTime: LIVE,
  refetchInterval: LIVE,
});

export const connectorsQuery = (slug: string) =>
  queryOptions({
    queryKey: ["connectors", slug],
    queryFn: () => answer(listConnectors({ path: { slug } })),
    refetchInterval: LIVE,
  });

export const connectorQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["connectors", slug, id],
    queryFn: () => answer(getConnector({ path: { slug, id } })),
  });

export const healthQuery = (slug: string) =>
  queryOptions({
    queryKey: ["health", slug],
    queryFn: async () => {
      const { items } = await answer(listConnectorHealth({ path: { slug } }));
      return new Map(items.map((health) => [health.connector_id ?? "", health]));
    },
    refetchInterval: LIVE,
  });

/** The health of a connector, or null where it was deleted. */
export const healthIn = (all: Map<string, ConnectorHealth> | undefined, id: string): ConnectorHealth | null | undefined => all && (all.get(id) ?? null);

/** What the space uses of what it may have. */
export const usageQuery = (slug: string) =>
  queryOptions({
    queryKey: ["usage", slug],
    queryFn: () => answer(getUsage({ path: { slug } })),
    refetchInterval: LIVE,
  });

export type AlertFilters = Pick<
  NonNullable<ListAlertsData["query"]>,
  "status" | "severity" | "alert_type" | "dedup_key" | "since" | "until"
>;

export const alertsQuery = (slug: string, filters: AlertFilters) =>
  infiniteQueryOptions({
    queryKey: ["alerts", slug, filters],
    queryFn: ({ pageParam }) =>
      answer(listAlerts({ path: { slug }, query: { ...filters, cursor: pageParam, limit: 50 } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LIVE,
  });

/** How many alerts of each kind came in the last seven days. */
export const summaryQuery = (slug: string) =>
  queryOptions({
    queryKey: ["summary", slug],
    queryFn: () => answer(getAlertSummary({ path: { slug } })),
    staleTime: 60_000,
  });

export const alertQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["alert", slug, id],
    queryFn: () => answer(getAlert({ path: { slug, id } })),
    refetchInterval: LIVE,
  });

/** What the message of a delivery says the alert is. A digest says what its alerts say by then, so it is asked for each state. */
export const deliveryTitleQuery = (slug: string, { id, state }: Pick<Delivery, "id" | "state">) =>
  queryOptions({
    queryKey: ["title", slug, id, state],
    queryFn: async () => {
      const { title = "", severity } = await answer(getDelivery({ path: { slug, id } }));
      return { title, severity };
    },
    staleTime: Infinity,
  });

export type DeliveryFilters = Pick<
  NonNullable<ListSpaceDeliveriesData["query"]>,
  "state" | "kind" | "connector_id" | "since" | "until"
>;

export const deliveriesQuery = (slug: string, filters: DeliveryFilters) =>
  infiniteQueryOptions({
    queryKey: ["deliveries", slug, filters],
    queryFn: ({ pageParam }) =>
      answer(listSpaceDeliveries({ path: { slug }, query: { ...filters, cursor: pageParam, limit: 50 } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LIVE,
  });

/** When connectors were switched off. */
export const pausesQuery = (slug: string, { connector_id, since, until }: DeliveryFilters) =>
  queryOptions({
    queryKey: ["pauses", slug, connector_id, since, until],
    queryFn: async () => {
      const only = connector_id?.length === 1 ? connector_id[0] : undefined;
      const { items } = await answer(listPauses({ path: { slug }, query: { connector_id: only, since, until } }));
      // The API takes one connector; a list may be of several.
      return items.filter((pause) => connector_id?.includes(pause.connector_id) ?? true);
    },
    refetchInterval: LIVE,
  });

/** Deliveries are counted up to this number. */
export const COUNTED_MAX = 2_000;

/** A span of time: to now where it has no end. */
export type Span = { since: string; until?: string };

/** How many deliveries of a connector since a time are in one of some states and of one of some kinds. Beyond the maximum they are not counted on. */
export const countQuery = (slug: string, id: string, { since, until }: Span, state: DeliveryState[], kind?: DeliveryKind[]) =>
  queryOptions({
    queryKey: ["count", slug, id, since, until, state, kind],
    queryFn: async () => {
      let [total, cursor]: [number, string | undefined] = [0, undefined];
      do {
        const query = { connector_id: [id], state, kind, since, until, cursor, limit: 200 };
        const page: DeliveryPage = await answer(listSpaceDeliveries({ path: { slug }, query }));
        total += page.items.length;
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined && total <= COUNTED_MAX);
      return total;
    },
  });

/** A delivery with its attempts. A change of deliveries makes it read again. */
export const deliveryQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["deliveries", slug, "one", id],
    queryFn: () => answer(getDelivery({ path: { slug, id } })),
  });

export const messageQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["message", slug, id],
    queryFn: () => answer(getDeliveryMessage({ path: { slug, id } })),
  });

/** What an alert would look like. The key is the alert itself, so each is rendered once. */
export const previewQuery = (slug: string, alert: NewAlert) =>
  queryOptions({
    queryKey: ["preview", slug, alert],
    queryFn: () => answer(previewAlert({ path: { slug }, body: alert })),
    retry: false,
    staleTime: 60_000,
    placeholderData: (previous) => previous,
  });

export const membersQuery = (slug: string) =>
  queryOptions({
    queryKey: ["members", slug],
    queryFn: () => answer(listMembers({ path: { slug }, query: { limit: 200 } })),
  });

/** Which entries of the audit trail are shown. */
export type AuditFilters = { action?: AuditAction[] | undefined; actor?: string | undefined };

export const auditQuery = (slug: string, filters: AuditFilters) =>
  infiniteQueryOptions({
    queryKey: ["audit", slug, filters],
    queryFn: ({ pageParam }) => answer(listSpaceAudit({ path: { slug }, query: { ...filters, cursor: pageParam, limit: 50 } })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LIVE,
  });

export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: () => answer(listApiKeys({ query: { limit: 200 } })),
});
