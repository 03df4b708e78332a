// The deliveries of all connectors of a space: delivered, failed and pending.
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { connectorsQuery, type DeliveryFilters as Filters } from "../api/queries";
import { Select } from "../parts/Field";
import { DeliveryFilters } from "./DeliveryFilters";
import { DeliveryList } from "./DeliveryList";
import { useSpace } from "./Layout";
import styles from "./page.module.css";

export function DeliveriesPage() {
  const { slug, mayEdit } = useSpace();
  const filters = useSearch({ from: "/signed-in/spaces/$slug/deliveries" });
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <h1>Deliveries</h1>
      </div>
      <DeliveryFilters filters={filters}>
        <OfConnector slug={slug} chosen={filters.connector_id} />
      </DeliveryFilters>
      <DeliveryList slug={slug} filters={filters} mayEdit={mayEdit} namesConnectors />
    </div>
  );
}

function OfConnector({ slug, chosen }: { slug: string; chosen: Filters["connector_id"] }) {
  const navigate = useNavigate();
  const connectors = useQuery(connectorsQuery(slug)).data ?? [];
  const options = [["", "all"], ...connectors.map(({ id, name }) => [id, name] as const)] as const;
  return (
    <Select
      label="Connector"
      value={chosen?.[0] ?? ""}
      options={options}
      onChange={(id) =>
        void navigate({
          to: ".",
          search: (before: object) => ({ ...before, connector_id: id === "" ? undefined : [id] }),
          replace: true,
        })
      }
    />
  );
}
