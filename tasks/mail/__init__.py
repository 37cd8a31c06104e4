"""Mail: what it says (`render`), what it is made of (`contexts`), what came back (`bounces`)."""
