// The frame of every page: where one is, and where else one may go.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, type RefObject } from "react";

import { endSession } from "../api/generated";
import { useEvents } from "../api/events";
import { ApiProblem, isSignedOut } from "../api/problem";
import { meQuery } from "../api/queries";
import { Button } from "../parts/Button";
import { Warn } from "../parts/Notice";
import { keepTyped } from "../parts/useKept";
import styles from "./layout.module.css";

/** The space of the address, and what the user may do in it. */
export function useSpace() {
  const { slug = "" } = useParams({ strict: false });
  const me = useQuery(meQuery);
  const space = me.data?.spaces.find((space) => space.slug === slug);
  const role = space?.role ?? "viewer";
  return { slug, space, mayEdit: role !== "viewer", isAdmin: role === "admin" };
}

export function Layout() {
  const { slug, space, isAdmin } = useSpace();
  const me = useQuery(meQuery);
  useSignOutWhenExpired();
  const liveness = useEvents(slug);
  const content = useRef<HTMLElement>(null);
  useFocusOnPage(content);
  const pages = useRef<HTMLElement>(null);
  useCurrentInView(pages);
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#content">
        Skip to content
      </a>
      <header className={styles.side}>
        <Link to="/" className={styles.brand}>
          <span className={styles.mark} aria-hidden="true" /> Alert Connectors
        </Link>
        {slug !== "" && (
          <nav ref={pages} className={styles.nav} aria-label={`Space ${space?.name ?? slug}`}>
            <Link to="/" className={styles.space}>
              <span className={styles.caption}>Space</span>
              {space?.name ?? slug}
            </Link>
            <Link to="/spaces/$slug/connectors" params={{ slug }} className={styles.link}>
              Connectors
            </Link>
            <Link to="/spaces/$slug/alerts" params={{ slug }} className={styles.link}>
              Alerts
            </Link>
            <Link to="/spaces/$slug/deliveries" params={{ slug }} className={styles.link}>
              Deliveries
            </Link>
            <Link to="/spaces/$slug/send" params={{ slug }} className={styles.link}>
              Send
            </Link>
            {isAdmin && (
              <>
                <Link to="/spaces/$slug/members" params={{ slug }} className={styles.link}>
                  Members
                </Link>
                <Link to="/spaces/$slug/audit" params={{ slug }} className={styles.link}>
                  Audit trail
                </Link>
              </>
            )}
          </nav>
        )}
        <nav className={styles.user} aria-label="Account">
          <Link to="/account" className={styles.link}>
            {me.data?.user.full_name ?? "Account"}
          </Link>
          <SignOut />
        </nav>
      </header>
      <main className={styles.content} id="content" tabIndex={-1} ref={content}>
        <div role="status" className={styles.live}>
          {liveness === "lost" && (
            <Warn>The connection to the server is lost, so this page may be out of date. It goes on by itself once the server answers.</Warn>
          )}
        </div>
        <Outlet />
      </main>
    </div>
  );
}

/** A new page gets the focus, so that the keyboard and screen readers begin there. Filters in the address are no new page. */
function useFocusOnPage(content: RefObject<HTMLElement | null>) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) {
      content.current?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [path, content]);
}

/** On a narrow screen the pages stand in a line that scrolls: the current one is in view. */
function useCurrentInView(pages: RefObject<HTMLElement | null>) {
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  useEffect(() => {
    pages.current?.querySelector("[data-status=active]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [path, pages]);
}

function SignOut() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const signOut = async () => {
    const me = queries.getQueryData(meQuery.queryKey);
    if (me) {
      // What is typed outlives the sign-in, for the same user.
      keepTyped(me.user.id);
    }
    await endSession().catch(() => undefined);
    queries.clear();
    await navigate({ to: "/sign-in" });
  };
  return (
    <Button look="quiet" onClick={() => void signOut()}>
      Sign out
    </Button>
  );
}

/**
 * Any call that finds the session gone leads to the sign-in, and back to the same place after it. One that is forbidden shows that a
 * role changed meanwhile, so the roles are read again.
 */
function useSignOutWhenExpired() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const here = useRouterState({ select: (state) => state.location.href });
  useEffect(() => {
    const heed = (error: unknown) => {
      if (error instanceof ApiProblem && error.status === 403) {
        void queries.invalidateQueries({ queryKey: meQuery.queryKey });
      }
      const me = queries.getQueryData(meQuery.queryKey);
      if (isSignedOut(error)) {
        if (me) {
          keepTyped(me.user.id);
        }
        queries.removeQueries({ queryKey: meQuery.queryKey });
        void navigate({ to: "/sign-in", search: { to: here } });
      }
    };
    const reads = queries.getQueryCache().subscribe((event) => {
      if (event.type === "updated" && event.action.type === "error") {
        heed(event.action.error);
      }
    });
    const writes = queries.getMutationCache().subscribe((event) => {
      if (event.type === "updated" && event.action.type === "error") {
        heed(event.action.error);
      }
    });
    return () => {
      reads();
      writes();
    };
  }, [queries, navigate, here]);
}
