// Which address shows which page. The addresses are fixed: links in messages and bookmarks rely on them.
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";

import { isSignedOut } from "./api/problem";
import { meQuery, type AlertFilters, type AuditFilters, type DeliveryFilters } from "./api/queries";
import { AccountPage } from "./pages/AccountPage";
import { AlertPage } from "./pages/AlertPage";
import { AlertsPage } from "./pages/AlertsPage";
import { AuditPage } from "./pages/AuditPage";
import { ConnectorDeliveriesPage } from "./pages/ConnectorDeliveriesPage";
import { ConnectorFormPage } from "./pages/ConnectorFormPage";
import { ConnectorsPage, type ConnectorFilters } from "./pages/ConnectorsPage";
import { DeliveriesPage } from "./pages/DeliveriesPage";
import { InvitationPage } from "./pages/InvitationPage";
import { Layout } from "./pages/Layout";
import { MembersPage } from "./pages/MembersPage";
import { NotFoundPage, PageError } from "./pages/ErrorPages";
import { SendPage } from "./pages/SendPage";
import { SignInPage } from "./pages/SignInPage";
import { SpacesPage } from "./pages/SpacesPage";
import { Loading } from "./parts/Notice";
import { useTitle } from "./parts/useTitle";

type Context = { queries: QueryClient };

function Root() {
  useTitle();
  return <Outlet />;
}

const root = createRootRouteWithContext<Context>()({
  component: Root,
  notFoundComponent: NotFoundPage,
  errorComponent: PageError,
});

export const signInRoute = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: (search): { to?: string; failed?: string } => ({
    ...(typeof search.to === "string" && { to: search.to }),
    ...(typeof search.failed === "string" && { failed: search.failed }),
  }),
  component: SignInPage,
});

const invitation = createRoute({ getParentRoute: () => root, path: "/invitation", component: InvitationPage });

/** Everything but the sign-in: without a session one is sent there, and comes back. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.ensureQueryData(meQuery);
    } catch (error) {
      if (isSignedOut(error)) {
        throw redirect({ to: "/sign-in", search: { to: location.href } });
      }
      throw error;
    }
  },
  component: Layout,
  pendingComponent: Loading,
  pendingMs: 150,
});

const spaces = createRoute({ getParentRoute: () => signedIn, path: "/", component: SpacesPage });
const account = createRoute({ getParentRoute: () => signedIn, path: "/account", component: AccountPage });
const connectors = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/connectors",
  validateSearch: (search): ConnectorFilters => ({ name: text(search.name), state: text(search.state) }),
  component: ConnectorsPage,
});
const newConnector = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/connectors/new",
  component: ConnectorFormPage,
});
const connector = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/connectors/$id",
  component: ConnectorFormPage,
});

const ofConnector = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/connectors/$id/deliveries",
  validateSearch: (search): DeliveryFilters => deliveryFilters(search),
  component: ConnectorDeliveriesPage,
});
const deliveries = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/deliveries",
  validateSearch: (search): DeliveryFilters => ({ ...deliveryFilters(search), connector_id: listed(search.connector_id) }),
  component: DeliveriesPage,
});
const alerts = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/alerts",
  validateSearch: (search): AlertFilters => ({
    status: listed(search.status),
    severity: listed(search.severity),
    alert_type: listed(search.alert_type),
    dedup_key: listed(search.dedup_key),
    since: text(search.since),
    until: text(search.until),
  }),
  component: AlertsPage,
});
const alert = createRoute({ getParentRoute: () => signedIn, path: "/spaces/$slug/alerts/$id", component: AlertPage });
const send = createRoute({ getParentRoute: () => signedIn, path: "/spaces/$slug/send", component: SendPage });
const members = createRoute({ getParentRoute: () => signedIn, path: "/spaces/$slug/members", component: MembersPage });

const audit = createRoute({
  getParentRoute: () => signedIn,
  path: "/spaces/$slug/audit",
  validateSearch: (search): AuditFilters => ({ action: listed(search.action), actor: text(search.actor) }),
  component: AuditPage,
});

const deliveryFilters = (search: Record<string, unknown>): DeliveryFilters => ({
  state: listed(search.state),
  kind: listed(search.kind),
  since: text(search.since),
  until: text(search.until),
});

/** The values of a parameter that may stand in the address several times. The API judges them. */
function listed<T extends string>(value: unknown): T[] | undefined {
  const all = (Array.isArray(value) ? value : [value]).filter((one) => typeof one === "string" && one !== "");
  return all.length > 0 ? (all as T[]) : undefined;
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** The query string with the API's own form: a parameter with several values is repeated. */
function parseSearch(query: string): Record<string, unknown> {
  const search: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    (search[name] ??= []).push(value);
  }
  return Object.fromEntries(Object.entries(search).map(([name, values]) => [name, values.length > 1 ? values : values[0]]));
}

function stringifySearch(search: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === "string" && one !== "") {
        query.append(name, one);
      }
    }
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: root.addChildren([
      signInRoute,
      invitation,
      signedIn.addChildren([
        spaces,
        account,
        connectors,
        newConnector,
        connector,
        ofConnector,
        deliveries,
        alerts,
        alert,
        send,
        members,
        audit,
      ]),
    ]),
    basepath: "/console",
    trailingSlash: "preserve",
    context: { queries },
    parseSearch,
    stringifySearch,
    defaultErrorComponent: PageError,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
