from django.db import migrations

from tests.later.notes import noting


class Migration(migrations.Migration):
    dependencies = [("xblock_kvstore", "0001_initial")]

    operations = [
        migrations.RunPython(noting("state"), noting("state undone")),
        migrations.RunPython(noting("state"), noting("state undone"), hints={"model_name": "studentmodulehistory"}),
        migrations.RunSQL("CREATE TABLE state_sql (id integer)", "DROP TABLE state_sql"),
    ]
